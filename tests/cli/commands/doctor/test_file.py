"""Checks of the file itself: whether it exists, its owner and its permissions."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from tests.cli.commands.doctor.patients import KEY, Patient
from tests.client.scripted_server import EMAIL

NOBODY = 65534


def test_a_valid_zuliprc_has_no_faults_and_the_exit_code_is_0(patient: Patient) -> None:
    report = patient.examined()

    assert report.kinds == []
    assert report.good == ["file_read", "credentials_found", "connected", "server_told", "key_accepted"]
    assert report.done.code == 0
    assert report.told["config_file"] == str(patient.path)


def test_few_requests_are_made_and_only_some_have_the_key(patient: Patient) -> None:
    patient.examined()

    whose = ["/api/v1/users/me/api_keys/current", "/api/v1/users/me"]
    assert patient.server.paths == ["/api/v1/server_settings", *whose]
    assert [("authorization" in seen.headers) for seen in patient.server.seen] == [False, True, True]


def test_offline_no_request_is_sent(patient: Patient) -> None:
    assert patient.offline().good == ["file_read", "credentials_found"]
    assert patient.server.seen == []


def test_missing_credentials_are_reported(patient: Patient) -> None:
    patient.path.unlink()
    report = patient.examined()

    assert report.kinds == ["config_not_found"]
    assert "keybearer login" in report.the("config_not_found")["remedy"]


def test_credentials_in_the_environment_need_no_file(patient: Patient) -> None:
    patient.path.unlink()
    report = patient.examined(ZULIP_EMAIL=EMAIL, ZULIP_API_KEY=KEY, ZULIP_SITE=patient.server.site)

    assert report.kinds == []
    assert "key_accepted" in report.good


def test_a_missing_named_file_is_reported(patient: Patient) -> None:
    assert patient.examined("-c", "/nowhere/zuliprc").kinds == ["config_not_found"]
    assert patient.examined(ZULIP_CONFIG="/nowhere/zuliprc").kinds == ["config_not_found"]


def test_a_directory_is_reported(patient: Patient) -> None:
    assert patient.examined("-c", str(patient.keybearer.home)).kinds == ["is_directory"]


def test_an_unreadable_file_is_reported(patient: Patient, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:  # a file that even root cannot read
        listener.bind(str(tmp_path / "socket"))
        report = patient.examined("-c", str(tmp_path / "socket"))

    assert report.kinds == ["file_unreadable"]


def test_a_missing_profile_is_reported(patient: Patient) -> None:
    assert patient.examined("--profile", "work").kinds == ["profile_not_found"]


def test_an_invalid_profile_name_is_reported(patient: Patient) -> None:
    assert patient.examined("--profile", "../work").kinds == ["bad_profile_name"]


def test_a_file_from_before_2013_is_reported(patient: Patient) -> None:
    legacy = patient.path.rename(patient.path.with_name(".humbugrc"))
    report = patient.examined()

    assert "legacy_file" in report.kinds
    assert report.the("legacy_file")["place"] == str(legacy)


def test_a_file_from_before_2013_stops_the_bindings_even_if_variables_have_everything(patient: Patient) -> None:
    patient.path.rename(patient.path.with_name(".humbugrc"))
    report = patient.examined(ZULIP_EMAIL=EMAIL, ZULIP_API_KEY=KEY, ZULIP_SITE=patient.server.site)

    assert report.kinds == ["old_file"]


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [
        (0o644, ["readable_by_others"]),
        (0o640, ["readable_by_others"]),
        (0o622, ["writable_by_others"]),
        (0o666, ["readable_by_others", "writable_by_others"]),
        (0o400, []),
    ],
)
def test_a_mode_that_gives_others_access_is_reported(patient: Patient, mode: int, kinds: list[str]) -> None:
    patient.write(mode=mode)
    report = patient.examined()

    assert report.kinds == kinds
    assert all(f"mode {mode:o}" in report.the(kind)["message"] for kind in kinds)
    assert all(report.the(kind)["fixable"] for kind in kinds)


def test_a_file_without_a_secret_may_be_read_by_others(patient: Patient) -> None:
    patient.write(f"[api]\nemail={EMAIL}\nsite={patient.server.site}\n", mode=0o644)

    assert patient.examined(ZULIP_API_KEY=KEY).kinds == ["mixed_identity"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_account_is_reported(patient: Patient) -> None:
    os.chown(patient.path, NOBODY, NOBODY)
    report = patient.examined()

    assert report.kinds == ["not_ours"]
    assert "nobody" in report.the("not_ours")["message"]


def test_an_interrupted_replacement_of_the_key_is_reported(patient: Patient) -> None:
    beside = patient.path.with_name(".zuliprc.new")
    beside.write_text(patient.good_text.replace(KEY, "kbBBBBBBBBBBBBBBBBBBBBBBBB1nQ8eF"))
    report = patient.examined()

    assert report.kinds == ["interrupted_change"]
    assert f"mv {beside} {patient.path}" in report.the("interrupted_change")["remedy"]


def test_a_pipe_is_read_and_cannot_be_fixed(patient: Patient) -> None:
    text = patient.good_text.replace("key=", "key = ")
    done = patient.keybearer.process("doctor", "--json", "--fix", "-c", "/dev/stdin", stdin=text)
    told = json.loads(done.out)

    assert [(one["kind"], one["fixable"]) for one in told["findings"] if one["severity"] != "good"] == [
        ("loose_form", False)
    ]
    assert told["fixed"] == []
    assert done.code == 0
