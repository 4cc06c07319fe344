"""The output of findings for people on a terminal, for pipes and for programs; and the exit code."""

from __future__ import annotations

import json
import random

import pytest

from tests.cli.commands.doctor.patients import KEY, Patient
from tests.client.scripted_server import EMAIL
from tests.zuliprc.fuzzer import Mutants
from tests.zuliprc.strategies import CANARY


def test_on_a_terminal_each_finding_has_a_symbol_and_its_remedy(patient: Patient) -> None:
    patient.write(patient.good_text.replace("email=", "Email=") + "client_cert=/nowhere/c.pem\n")
    done = patient.keybearer.on_terminal("doctor", COLUMNS="200")

    assert done.code == 1
    for sign, said in (
        ("✗", "The file with the client certificate"),
        ("!", "not in the form name=value"),
        ("✓", "mode 600"),
    ):
        assert any(sign in line and said in line for line in done.out.splitlines()), said
    assert "→ Write email=…" in done.out
    assert "(--fix does that)" in done.out
    assert "1 fault, 1 warning" in done.out
    assert "\x1b[" in done.out


def test_no_color_switches_colours_off(patient: Patient) -> None:
    done = patient.keybearer.on_terminal("doctor", NO_COLOR="1")

    assert "✓" in done.out
    assert "\x1b[3" not in done.out
    assert "Everything is in order." in done.out


def test_in_a_pipe_each_finding_is_a_line(patient: Patient) -> None:
    patient.write(patient.good_text.replace(KEY, f"'{KEY}'"))
    done = patient.keybearer("doctor", "--offline")

    assert done.out.splitlines()[1].startswith(f"fault: {patient.path}:3: The value has quotes around it")
    assert done.out.splitlines()[1].endswith("Write only the value (suspicious_value, --fix fixes it)")
    assert {line.partition(":")[0] for line in done.out.splitlines()} <= {"good", "warning", "fault"}
    assert done.complaint == "1 fault, 0 warnings; `keybearer doctor --fix` fixes 1 of them."


def test_with_json_the_output_is_only_json(patient: Patient) -> None:
    patient.write(patient.good_text.replace("email=", "email = "))
    done = patient.keybearer("doctor", "--json", "--offline")

    assert done.err == ""
    assert json.loads(done.out)["findings"][1] == {
        "kind": "loose_form",
        "severity": "warning",
        "place": f"{patient.path}:2",
        "message": "The setting is not in the form name=value, without spaces and in lower case",
        "remedy": "Write email=…",
        "fixable": True,
    }


def test_a_warning_is_a_failure_only_with_strict(patient: Patient) -> None:
    patient.write(patient.good_text.replace("email=", "email = "))

    assert patient.keybearer("doctor").code == 0
    assert patient.keybearer("doctor", "--strict").code == 1


@pytest.mark.parametrize("text", ["[api]\nemail={key}\nkey={email}\nsite={key}\n", "[api]\n{key}\n", "{key}={key}\n"])
def test_a_key_in_the_wrong_place_is_not_shown(patient: Patient, text: str) -> None:
    patient.write(text.format(key=KEY, email=EMAIL))
    for options in ([], ["--json"]):
        done = patient.keybearer("doctor", "--timeout", "1", *options)
        assert done.code == 1
        assert KEY.lower() not in (done.out + done.err).lower()


def test_a_control_character_from_the_server_does_not_move_the_cursor(patient: Patient) -> None:
    patient.write(patient.good_text.replace(patient.server.site, "https://z.x/\x1b[2J"))
    done = patient.keybearer("doctor")

    assert "\x1b" not in done.out + done.err


def test_invalid_options_are_wrong_usage(patient: Patient) -> None:
    assert patient.keybearer("doctor", "--timeout", "0").code == 2


@pytest.mark.parametrize("seed", [1, 2])
def test_the_doctor_handles_any_file_and_shows_no_key(patient: Patient, seed: int) -> None:
    mutants = Mutants(random.Random(seed))
    for _ in range(80):
        patient.write(mutants.mutant().encode("utf-8", "surrogatepass"))
        done = patient.keybearer("doctor", "--offline", "--fix")

        assert done.code in {0, 1}
        assert "Internal error" not in done.err
        assert CANARY not in done.out + done.err
