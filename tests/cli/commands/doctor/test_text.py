"""Checks and fixes of the whole text: its bytes, its section, and lines that are not settings."""

from __future__ import annotations

import configparser

import pytest

from tests.cli.commands.doctor.patients import KEY, Patient
from tests.client.scripted_server import EMAIL


def fixed_text(patient: Patient) -> str:
    """The file after `--fix`. Checks that it has no faults and the same meaning for Python's own parser."""
    report = patient.examined("--fix", "--yes")
    assert report.kinds == []
    assert "key_accepted" in report.good
    text = patient.path.read_text()
    parser = configparser.ConfigParser()
    parser.read_string(text)
    assert (parser["api"]["email"], parser["api"]["key"]) == (EMAIL, KEY)
    return text


def test_a_byte_order_mark_is_a_fault_and_is_removed(patient: Patient) -> None:
    patient.write(b"\xef\xbb\xbf" + patient.good_text.encode())

    assert patient.examined().kinds == ["byte_order_mark"]
    assert fixed_text(patient) == patient.good_text


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends_are_reported_and_become_lf(patient: Patient, end: str) -> None:
    patient.write(patient.good_text.replace("\n", end).encode())

    assert patient.examined().kinds == ["line_ends"]
    assert fixed_text(patient) == patient.good_text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_a_fault_and_is_converted_to_utf_8(patient: Patient, encoding: str) -> None:
    patient.write(f"\ufeff{patient.good_text}".replace("\n", "\r\n").encode(encoding))

    assert patient.examined().kinds == ["encoding", "line_ends"]
    assert fixed_text(patient) == patient.good_text


@pytest.mark.parametrize("data", [b"[api]\nemail=andr\xe9@x.org\n", b"\xff\xfe[", b"\xff\xfe\x00\xd8"])
def test_binary_data_is_a_fault_without_a_fix(patient: Patient, data: bytes) -> None:
    patient.write(data)
    report = patient.examined("--fix", "--yes")

    assert report.kinds == ["encoding"]
    assert not report.the("encoding")["fixable"]
    assert patient.path.read_bytes() == data


@pytest.mark.parametrize("header", ["[API]", "[ api ]", "[Api ]"])
def test_a_misspelt_section_is_a_fault_and_is_renamed(patient: Patient, header: str) -> None:
    patient.write(patient.good_text.replace("[api]", header))

    assert patient.examined().kinds == ["missing_section"]
    assert fixed_text(patient) == patient.good_text


def test_settings_without_a_section_are_a_fault_and_get_one(patient: Patient) -> None:
    patient.write(patient.good_text.replace("[api]", "# my account"))
    report = patient.examined()

    assert report.kinds == ["no_section_header"]
    assert report.the("no_section_header")["place"] == f"{patient.path}:2"
    assert fixed_text(patient) == patient.good_text.replace("[api]", "# my account\n[api]")


def test_the_account_in_the_only_other_section_is_found_and_the_section_renamed(patient: Patient) -> None:
    patient.write(patient.good_text.replace("[api]", "[account]"))
    report = patient.offline()

    assert report.kinds == ["missing_section"]
    assert "another section" in report.the("missing_section")["message"]
    assert patient.examined("--fix", "--yes").kinds == []
    assert patient.path.read_text() == patient.good_text


@pytest.mark.parametrize("more", ["[other]\nemail=b@x.org\n", "[zterm]\ntheme=dark\n"])
def test_with_several_sections_none_is_renamed(patient: Patient, more: str) -> None:
    patient.write(patient.good_text.replace("[api]", "[account]") + more)
    report = patient.offline("--fix", "--yes")

    assert "missing_section" in report.kinds
    assert report.told["fixed"] == []


def test_text_above_the_section_is_a_fault_without_a_fix(patient: Patient) -> None:
    patient.write(f"hello\n{patient.good_text}")
    report = patient.examined()

    assert report.kinds[0] == "no_section_header"
    assert not report.the("no_section_header")["fixable"]


def test_an_indented_setting_is_a_fault_and_is_moved_to_the_left(patient: Patient) -> None:
    patient.write(patient.good_text.replace("site=", "   site="))
    report = patient.examined()

    assert report.kinds == ["malformed_line"]
    assert report.the("malformed_line")["place"] == f"{patient.path}:4"
    assert fixed_text(patient) == patient.good_text


def test_a_value_on_two_lines_is_a_fault_without_a_fix(patient: Patient) -> None:
    patient.write(patient.good_text.replace(KEY, f"{KEY[:20]}\n  {KEY[20:]}"))
    report = patient.examined("--fix", "--yes")

    assert report.kinds == ["malformed_line", "key_malformed"]
    assert "it has 20" in report.the("key_malformed")["message"]
    assert KEY[20:] not in report.done.out


def test_a_line_that_is_not_a_setting_or_comment_is_a_fault(patient: Patient) -> None:
    patient.write(f"{patient.good_text}whatever\n")
    report = patient.examined()

    assert report.kinds == ["malformed_line"]
    assert report.the("malformed_line")["place"] == f"{patient.path}:5"


def test_the_key_of_a_broken_file_is_not_sent(patient: Patient) -> None:
    patient.write(f"{patient.good_text}whatever\n")
    patient.examined()

    assert patient.server.paths == ["/api/v1/server_settings"]


def test_a_repeated_setting_with_the_same_value_is_a_fault_and_is_removed(patient: Patient) -> None:
    patient.write(f"{patient.good_text}EMAIL: {EMAIL}\n")
    report = patient.examined()

    assert report.kinds == ["duplicate_key"]
    assert "the first is in line 2" in report.the("duplicate_key")["message"]
    assert fixed_text(patient) == patient.good_text


def test_a_repeated_setting_with_another_value_is_a_fault_without_a_fix(patient: Patient) -> None:
    text = f"{patient.good_text}email=ophelia@example.com\n"
    patient.write(text)
    report = patient.examined("--fix", "--yes")

    assert report.kinds == ["duplicate_key"]
    assert not report.the("duplicate_key")["fixable"]
    assert patient.path.read_text() == text


def test_a_repeated_section_is_a_fault_and_the_two_are_joined(patient: Patient) -> None:
    patient.write(patient.good_text.replace("site=", "[api]\nsite="))

    assert patient.examined().kinds == ["duplicate_section"]
    assert fixed_text(patient) == patient.good_text


@pytest.mark.parametrize("between", ["", "[zterm]\ntheme=dark\n"])
def test_two_accounts_in_one_file_are_not_joined(patient: Patient, between: str) -> None:
    text = f"{patient.good_text}{between}[api]\nemail=ophelia@example.com\n"
    patient.write(text)
    report = patient.examined("--fix", "--yes")

    assert report.kinds == ["duplicate_section", "duplicate_key"]
    assert patient.path.read_text() == text


def test_a_key_in_another_section_is_reported(patient: Patient) -> None:
    patient.write(f"{patient.good_text}[zterm]\ntheme=dark\n[other]\nkey = {KEY}\n")
    report = patient.examined()

    assert report.kinds == ["second_account"]
    assert report.the("second_account")["place"] == f"{patient.path}:8"


def test_an_empty_file_is_reported(patient: Patient) -> None:
    patient.write("")

    assert "missing_section" in patient.examined().kinds
