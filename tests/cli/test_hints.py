"""An error names what is wrong, its source, and the command that helps."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from keybearer.wording import counted
from tests.cli.command_line import CommandLine
from tests.client.scripted_server import ScriptedServer, error, html, success

KEY = "q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me"


@pytest.fixture
def somebody(keybearer: CommandLine, scripted: ScriptedServer) -> CommandLine:
    zuliprc = keybearer.home / ".zuliprc"
    zuliprc.write_text(f"[api]\nemail=a@x.org\nkey={KEY}\nsite={scripted.site}\n")
    zuliprc.chmod(0o600)
    return keybearer


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["whoami", "-c"], "keybearer whoami --help"),
        (["send", "--channel", "x", "hi"], "Did you mean --to?"),
        (["send", "--stream", "x", "hi"], "Did you mean --to?"),
        (["send", "--to", "x", "--subject", "y", "hi"], "Did you mean --topic?"),
        (["doctor", "--timeout", "inf"], "--timeout"),
        (["doctor", "--timeout", "nan"], "--timeout"),
        (["messages", "--limit", "0"], "--limit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_names_the_likely_option(somebody: CommandLine, arguments: list[str], said: str) -> None:
    done = somebody.process(*arguments)

    assert done.code == 2
    assert said in done.complaint
    assert "'--help'?" not in done.complaint


@pytest.mark.parametrize("command", ["show", "whoami", "doctor"])
def test_the_variable_that_names_a_missing_file_is_named(somebody: CommandLine, command: str) -> None:
    done = somebody(command, ZULIP_CONFIG="/nonexistent")

    assert done.code == 1
    assert "ZULIP_CONFIG" in done.out + done.err


def test_the_text_of_a_zuliprc_instead_of_its_path_is_reported_without_the_text(somebody: CommandLine) -> None:
    text = (somebody.home / ".zuliprc").read_text()
    for done in (
        somebody("whoami", ZULIP_CONFIG=text),
        somebody("whoami", "-c", text),
        somebody("whoami", ZULIP_CONFIG=text * 90),
    ):
        assert "This is the text of a zuliprc" in done.complaint
        assert "a@x.org" not in done.err
        assert KEY not in done.err


def test_a_line_end_in_the_name_of_a_file_is_reported(somebody: CommandLine) -> None:
    assert "a line break" in somebody("whoami", "-c", f"{somebody.home}/rc\n").complaint


def test_the_path_of_a_variable_may_end_in_a_line_end(somebody: CommandLine) -> None:
    assert somebody("show", ZULIP_CONFIG=f"{somebody.home / '.zuliprc'}\n").code == 0


AS_NOBODY = """
import os, sys
import keybearer.cli.commands.install, keybearer.cli.commands.show, keybearer.cli.commands.doctor.command
from keybearer.cli.main import main
os.setuid(65534)
main(sys.argv[1:])
"""
"""Another user may not be able to load the program, so it is loaded first."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("command", [["show", "-c"], ["doctor", "--offline", "-c"], ["install"]], ids=" ".join)
def test_an_unreadable_file_is_an_expected_failure_and_the_doctor_reports_it(
    somebody: CommandLine, command: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        secret = Path(directory, "rc")
        secret.write_text("[api]\n")
        secret.chmod(0o600)
        run = [sys.executable, "-c", AS_NOBODY, *command, str(secret)]
        done = subprocess.run(run, env={"HOME": "/"}, cwd="/", capture_output=True, text=True, check=False)

    assert done.returncode == 1, done
    assert "Permission denied" in done.stdout + done.stderr


def test_a_call_for_development_servers_is_reported_as_such(somebody: CommandLine, scripted: ScriptedServer) -> None:
    scripted.script = [html(404), success(zulip_version="12", zulip_feature_level=400)]

    assert "Only a development server" in somebody("api", "POST", "dev_fetch_api_key", "username=x").complaint


def test_one_second_is_singular(somebody: CommandLine, scripted: ScriptedServer) -> None:
    scripted.otherwise = error(429, "Slow down", "RATE_LIMIT_HIT", **{"retry-after": 80})

    assert "Try again in 80 seconds" in somebody("whoami").complaint
    assert [counted(number, "second") for number in (0.5, 1, 1.0, 2)] == [
        "0.5 seconds", "1 second", "1 second", "2 seconds",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "command", [["api", "GET", "users/me"], ["whoami", "--json"], ["bot", "list"], ["whoami"]], ids=" ".join
)
def test_text_from_the_server_cannot_control_the_terminal(
    somebody: CommandLine, scripted: ScriptedServer, command: list[str]
) -> None:
    evil = "\x1b[2J\x9b2J\u202egnp\u2066\x7f"
    account = {"user_id": 7, "email": evil, "full_name": evil, "is_bot": True, "is_active": True}
    scripted.otherwise = success(**account, bots=[account], members=[account], realm_bots=[account])
    out = somebody(*command).out

    assert not any(one in out for one in evil if not one.isascii() or one in "\x1b\x7f")
