"""Checks and fixes of single settings: quotes, comments, names, paths and the site."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from tests.cli.commands.doctor.patients import KEY, Patient
from tests.client.scripted_server import EMAIL


def fixed(patient: Patient) -> str:
    """The file after `--fix`."""
    assert patient.offline("--fix", "--yes").told["fixed"]
    return patient.path.read_text()


@pytest.mark.parametrize("quotes", ['""', "''", "“”", "``"])
def test_quotes_are_a_fault_and_are_removed(patient: Patient, quotes: str) -> None:
    patient.write(patient.good_text.replace(KEY, f"{quotes[0]}{KEY}{quotes[1]}"))
    report = patient.examined()

    assert report.kinds == ["suspicious_value"]
    assert report.the("suspicious_value")["place"] == f"{patient.path}:3"
    assert "quotes" in report.the("suspicious_value")["message"]
    assert fixed(patient) == patient.good_text


@pytest.mark.parametrize("sign", ["#", ";"])
def test_a_comment_after_a_value_is_a_fault_and_is_moved_to_its_own_line(patient: Patient, sign: str) -> None:
    patient.write(patient.good_text.replace(KEY, f"{KEY}   {sign} of my laptop"))
    report = patient.examined()

    assert report.kinds == ["suspicious_value"]
    assert "comment" in report.the("suspicious_value")["message"]
    assert fixed(patient) == patient.good_text.replace("key=", f"{sign} of my laptop\nkey=")


def test_a_comment_after_quotes_is_fixed_with_the_quotes(patient: Patient) -> None:
    patient.write(patient.good_text.replace(KEY, f'"{KEY}" # mine'))

    assert patient.examined().kinds == ["suspicious_value", "suspicious_value"]
    assert fixed(patient) == patient.good_text.replace("key=", "# mine\nkey=")


def test_a_value_with_only_a_comment_is_not_fixed(patient: Patient) -> None:
    patient.write(patient.good_text.replace(KEY, "# to be had from Ann"))
    report = patient.examined("--fix", "--yes")

    assert report.kinds == ["suspicious_value"]
    assert not report.the("suspicious_value")["fixable"]


@pytest.mark.parametrize(
    ("wrong", "right"), [("Email = ", "email="), ("email: ", "email="), ("EMAIL=", "email="), ("email =", "email=")]
)
def test_a_loose_form_is_a_warning_and_is_rewritten(patient: Patient, wrong: str, right: str) -> None:
    patient.write(patient.good_text.replace(right, wrong))

    assert patient.examined().kinds == ["loose_form"]
    assert fixed(patient) == patient.good_text


def test_spaces_after_a_value_are_ignored(patient: Patient) -> None:
    patient.write(patient.good_text.replace(KEY, f"{KEY}  \t"))

    assert patient.examined().kinds == ["loose_form"]
    assert fixed(patient) == patient.good_text


@pytest.mark.parametrize(
    ("wrong", "right"), [("emial", "email"), ("api_key", "key"), ("keyy", "key"), ("zulip_site", "site")]
)
def test_a_misspelt_setting_is_a_fault_and_is_renamed(patient: Patient, wrong: str, right: str) -> None:
    patient.write(patient.good_text.replace(f"{right}=", f"{wrong}="))
    report = patient.examined()

    assert report.kinds == ["misspelt_setting"]
    assert report.the("misspelt_setting")["remedy"] == f"Did you mean {right}?"
    assert fixed(patient) == patient.good_text


def test_a_misspelt_setting_beside_the_right_one_is_not_changed(patient: Patient) -> None:
    text = f"{patient.good_text}sight=https://other.example.com\nsiite=https://y.x\n"
    patient.write(text)
    report = patient.offline("--fix", "--yes")

    assert report.kinds == ["unknown_setting", "unknown_setting"]
    assert report.told["fixed"] == []
    assert patient.path.read_text() == text


def test_a_setting_similar_to_none_is_a_warning(patient: Patient) -> None:
    patient.write(f"{patient.good_text}colour=red\n")
    report = patient.examined()

    assert report.kinds == ["unknown_setting"]
    assert report.the("unknown_setting")["place"] == f"{patient.path}:5"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{site}/", "slash"),
        ("{site}/api", "/api"),
        ("{site}/api/v1/", "/api"),
        ("{bare}", "no scheme"),
        ("HTTP://{bare}", "capitals"),
    ],
)
def test_a_site_in_another_form_is_a_warning_and_is_normalised(patient: Patient, wrong: str, said: str) -> None:
    site = patient.server.site
    patient.write(patient.good_text.replace(site, wrong.format(site=site, bare=site.removeprefix("http://"))))
    report = patient.examined()

    assert report.kinds == ["site_shape"]
    assert said in report.the("site_shape")["message"]
    assert "key_accepted" in report.good
    assert fixed(patient) == patient.good_text


@pytest.mark.parametrize("wrong", ["http://ann:secret@{bare}", "{site}/?next=/", "{site}/#narrow/channel/7-secret"])
def test_extra_parts_of_a_site_are_a_fault_and_are_removed(patient: Patient, wrong: str) -> None:
    site = patient.server.site
    patient.write(patient.good_text.replace(site, wrong.format(site=site, bare=site.removeprefix("http://"))))
    report = patient.examined()

    assert report.kinds == ["bad_url"]
    assert "secret" not in report.done.out
    assert fixed(patient) == patient.good_text


@pytest.mark.parametrize("wrong", ["ftp://z.x", "https://", "z x", "chat.example.com:port"])
def test_a_site_that_is_not_an_address_is_a_fault_without_a_fix(patient: Patient, wrong: str) -> None:
    patient.write(patient.good_text.replace(patient.server.site, wrong))
    report = patient.examined("--fix", "--yes")

    assert report.kinds == ["bad_url"]
    assert report.the("bad_url")["place"] == f"{patient.path}:4"
    assert not report.the("bad_url")["fixable"]


def test_a_missing_site_is_a_fault(patient: Patient) -> None:
    patient.write(f"[api]\nemail={EMAIL}\nkey={KEY}\n")
    report = patient.examined()

    assert report.kinds == ["missing_site"]
    assert "ZULIP_SITE" in report.the("missing_site")["remedy"]


def test_plain_http_to_another_machine_is_a_warning(patient: Patient) -> None:
    patient.write(patient.good_text.replace(patient.server.site, "http://chat.example.com"))
    report = patient.offline()

    assert report.kinds == ["plain_http"]
    assert report.the("plain_http")["place"] == f"{patient.path}:4"


def test_a_percent_sign_is_doubled_and_reported(patient: Patient) -> None:
    patient.write(patient.good_text.replace(EMAIL, "50%off@example.com"))

    assert patient.offline().kinds == ["single_percent", "unportable_value"]
    assert patient.offline("--fix", "--yes").kinds == ["unportable_value"]
    assert patient.path.read_text() == patient.good_text.replace(EMAIL, "50%%off@example.com")


def test_a_reference_to_another_value_is_a_fault(patient: Patient) -> None:
    patient.write(patient.good_text.replace(EMAIL, "%(user)s@example.com"))
    report = patient.offline()

    assert report.kinds == ["interpolation"]
    assert report.the("interpolation")["place"] == f"{patient.path}:2"


def test_an_email_that_cannot_log_in_is_a_fault(patient: Patient) -> None:
    patient.write(patient.good_text.replace(EMAIL, "hamlet"))
    assert patient.offline().kinds == ["odd_email_shape"]


def test_an_invalid_boolean_is_a_fault(patient: Patient) -> None:
    patient.write(f"{patient.good_text}insecure=yes\n")
    report = patient.offline()

    assert report.kinds == ["bad_boolean"]
    assert report.the("bad_boolean")["place"] == f"{patient.path}:5"


@pytest.fixture
def bundle(patient: Patient) -> Path:
    """A bundle beside the zuliprc."""
    path = patient.keybearer.home / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


@pytest.mark.parametrize("written", ["ca.pem", "./ca.pem", "~/ca.pem"])
def test_a_relative_path_is_a_warning_and_becomes_absolute(patient: Patient, bundle: Path, written: str) -> None:
    patient.write(f"{patient.good_text}cert_bundle={written}\n")

    assert patient.examined().kinds == ["relative_path"]
    assert fixed(patient) == f"{patient.good_text}cert_bundle={bundle}\n"


def test_client_bundle_alone_is_a_warning_and_cert_bundle_is_added(patient: Patient, bundle: Path) -> None:
    patient.write(f"{patient.good_text}client_bundle={bundle}\n")

    assert patient.examined().kinds == ["one_bundle_name"]
    assert fixed(patient) == f"{patient.good_text}cert_bundle={bundle}\nclient_bundle={bundle}\n"


def test_two_different_bundles_are_a_fault_without_a_fix(patient: Patient, bundle: Path) -> None:
    patient.write(f"{patient.good_text}# two\nclient_bundle={bundle}\ncert_bundle=/etc/other.pem\n")
    report = patient.offline("--fix", "--yes")

    assert report.kinds == ["conflicting_keys"]
    assert report.the("conflicting_keys")["place"] == f"{patient.path}:6"
    assert "(line 7)" in report.the("conflicting_keys")["message"]


def test_a_key_and_a_command_together_are_a_fault(patient: Patient) -> None:
    patient.write(f"{patient.good_text}passcmd=pass show zulip\n")
    assert patient.offline().kinds == ["conflicting_keys"]


def test_all_faults_of_a_file_are_reported_together_with_their_lines(patient: Patient) -> None:
    patient.write(
        f"# mine\n[API]\nemail='{EMAIL}'\nkey={KEY} # laptop\nsite={patient.server.site}/\n"
        "insecure=maybe\nclient_cert_key=x\n"
    )
    report = patient.examined()

    told = {finding["place"].removeprefix(str(patient.path)): finding["kind"] for finding in report.findings}
    assert told == {
        "": "file_read",
        ":2": "missing_section",
        ":3": "suspicious_value",
        ":4": "suspicious_value",
        ":5": "site_shape",
        ":6": "bad_boolean",
        ":7": "key_without_cert",
    }
