"""Checks of the key without the server, and of the command that prints one."""

from __future__ import annotations

import pytest

from keybearer.api_key import generate
from tests.cli.commands.doctor.patients import KEY, Patient, zulip
from tests.client.scripted_server import EMAIL, PROFILE, refused, success


def swapped(key: str) -> str:
    """The key with two different neighbouring characters swapped, a typical typing mistake."""
    at = next(at for at in range(8, 24) if key[at] != key[at + 1])
    return f"{key[:at]}{key[at + 1]}{key[at]}{key[at + 2 :]}"


@pytest.mark.parametrize(
    ("key", "said"), [(KEY[:-1], "it has 31"), (f"{KEY}x", "it has 33"), (f"{KEY[:-1]}-", "another character")]
)
def test_a_malformed_key_is_a_fault_and_is_not_sent(patient: Patient, key: str, said: str) -> None:
    patient.write(patient.good_text.replace(KEY, key))
    report = patient.examined()

    assert report.kinds == ["key_malformed"]
    assert said in report.the("key_malformed")["message"]
    assert report.the("key_malformed")["place"] == f"{patient.path}:3"
    assert key not in report.done.out
    assert patient.server.paths == ["/api/v1/server_settings"]


def test_a_mistyped_keybearer_key_is_reported_without_the_network(patient: Patient) -> None:
    key = swapped(generate().reveal())
    patient.write(patient.good_text.replace(KEY, key))
    report = patient.offline()

    assert report.kinds == ["key_mistyped"]
    assert key not in report.done.out


def test_a_mistyped_key_that_the_server_refuses_has_both_findings(patient: Patient) -> None:
    patient.server.otherwise = zulip(profile=refused())
    patient.write(patient.good_text.replace(KEY, swapped(KEY)))

    assert patient.examined().kinds == ["key_mistyped", "key_refused"]


def test_an_accepted_key_that_only_looks_mistyped_has_no_fault(patient: Patient) -> None:
    patient.write(patient.good_text.replace(KEY, swapped(KEY)))
    report = patient.examined()

    assert report.kinds == []
    assert "key_accepted" in report.good


def test_the_key_of_another_server_has_no_checksum(patient: Patient) -> None:
    patient.write(patient.good_text.replace(KEY, "x" * 32))
    assert patient.offline().kinds == []


def with_command(patient: Patient, command: str, mode: int = 0o600) -> None:
    patient.write(f"[api]\nemail={EMAIL}\npasscmd={command}\nsite={patient.server.site}\n", mode)


def test_the_key_from_a_command_is_tried(patient: Patient) -> None:
    with_command(patient, f"echo {KEY}")
    report = patient.examined()

    assert report.kinds == ["passcmd_of_ours"]
    assert KEY[-4:] not in report.done.out
    assert "key_accepted" in report.good


def test_the_key_from_a_command_is_checked_like_any_key(patient: Patient) -> None:
    with_command(patient, "echo 'no key today'")
    report = patient.examined()

    assert report.kinds == ["passcmd_of_ours", "key_malformed"]
    assert "no key today" not in report.done.out


def test_offline_no_command_is_run(patient: Patient) -> None:
    marker = patient.keybearer.home / "was-run"
    with_command(patient, f"sh -c 'touch {marker}; echo {KEY}'")

    assert patient.offline().kinds == ["passcmd_of_ours"]
    assert not marker.exists()


@pytest.mark.parametrize("command", ["false", "/nowhere/pass show zulip", "true"])
def test_a_command_that_prints_no_key_is_a_fault(patient: Patient, command: str) -> None:
    with_command(patient, command)
    report = patient.examined()

    assert report.kinds == ["passcmd_of_ours", "passcmd_failed"]
    assert report.the("passcmd_failed")["place"] == f"{patient.path}:3"
    assert patient.server.paths == ["/api/v1/server_settings"]


def test_a_command_in_a_file_that_others_can_write_is_not_run_until_that_is_fixed(patient: Patient) -> None:
    marker = patient.keybearer.home / "was-run"
    with_command(patient, f"sh -c 'touch {marker}; echo {KEY}'", mode=0o620)
    report = patient.examined()

    assert report.kinds == ["writable_by_others", "passcmd_of_ours", "passcmd_unsafe"]
    assert report.the("passcmd_unsafe")["fixable"]
    assert not marker.exists()
    assert patient.examined("--fix", "--yes").kinds == ["passcmd_of_ours"]
    assert marker.exists()


def test_the_account_of_an_outgoing_webhook_token_is_not_requested(patient: Patient) -> None:
    patient.server.otherwise = zulip(profile=success(**{**PROFILE, "is_bot": True, "bot_type": 3}))
    patient.write(f"{patient.good_text}token=abcdefghijklmnop\n")
    report = patient.examined()

    assert report.kinds == []
    assert "outgoing-webhook bot" in report.the("key_accepted")["message"]
    assert "abcdefghijklmnop" not in report.done.out
