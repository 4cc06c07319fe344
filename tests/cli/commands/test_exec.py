"""`keybearer exec`: another program with the credentials in its environment."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command_line import SCRIPT, CommandLine

KEY = "kbExecExecExecExecExecExecExec1A"
ZULIPRC = f"[api]\nemail=ann@x.org\nkey={KEY}\nsite=https://z.x\n"


@pytest.fixture
def zuliprc(keybearer: CommandLine) -> Path:
    path = keybearer.home / ".zuliprc"
    path.write_text(ZULIPRC)
    path.chmod(0o600)
    return path


def variables(out: str) -> dict[str, str]:
    pairs = (line.partition("=")[::2] for line in out.splitlines())
    return {name: value for name, value in pairs if name.startswith("ZULIP")}


def test_the_command_gets_only_the_active_credentials(keybearer: CommandLine, zuliprc: Path) -> None:
    other = zuliprc.with_name("other")
    other.write_text(ZULIPRC.replace("ann", "bea"))
    done = keybearer.process(
        "exec",
        "-c",
        str(zuliprc),
        "--",
        "env",
        ZULIP_CONFIG=str(other),
        ZULIP_PROFILE="work",
        ZULIP_EDITOR_COMMAND="vi",
    )

    assert variables(done.out) == {
        "ZULIP_EMAIL": "ann@x.org",
        "ZULIP_API_KEY": KEY,
        "ZULIP_SITE": "https://z.x",
        "ZULIP_ALLOW_INSECURE": "false",
        "ZULIP_EDITOR_COMMAND": "vi",
    }


def test_all_seven_settings_are_passed_on(keybearer: CommandLine, zuliprc: Path) -> None:
    (keybearer.home / "c.pem").touch()
    zuliprc.write_text(f"{ZULIPRC}client_cert=c.pem\nclient_cert_key=c.pem\nclient_bundle=~/c.pem\ninsecure=true\n")
    done = keybearer.process("exec", "env")

    certificate = str(keybearer.home / "c.pem")
    assert variables(done.out) == {
        "ZULIP_EMAIL": "ann@x.org",
        "ZULIP_API_KEY": KEY,
        "ZULIP_SITE": "https://z.x",
        "ZULIP_CERT": certificate,
        "ZULIP_CERT_KEY": certificate,
        "ZULIP_CERT_BUNDLE": certificate,
        "ZULIP_ALLOW_INSECURE": "true",
    }


def test_the_official_package_uses_the_variables(keybearer: CommandLine, zuliprc: Path) -> None:
    program = """
import zulip
class Offline(zulip.Client):
    def get_server_settings(self):
        return {"zulip_version": "12.0"}
client = Offline()
print(client.email, client.api_key, client.base_url, client.tls_verification)
"""
    elsewhere = zuliprc.rename(zuliprc.with_name("mine"))
    zuliprc.write_text("[api]\nemail=bea@x.org\nkey=other\nsite=https://y.x\ninsecure=true\n")
    done = keybearer.process("exec", "-c", str(elsewhere), sys.executable, "-c", program)

    assert done.out.split() == ["ann@x.org", KEY, "https://z.x/api/", "True"]


def test_options_of_the_command_are_passed_on(keybearer: CommandLine, zuliprc: Path) -> None:
    assert keybearer.process("exec", "echo", "--json", "-c", "--help").out == "--json -c --help\n"
    assert keybearer.process("exec", "--", "echo", "--", "-x").out == "-- -x\n"


def test_exit_code_and_input_of_the_command_are_passed_through(keybearer: CommandLine, zuliprc: Path) -> None:
    done = keybearer.process("exec", "sh", "-c", "cat; exit 42", stdin="text")

    assert (done.code, done.out, done.err) == (42, "text", "")


def test_the_command_replaces_the_process_and_gets_its_signals(keybearer: CommandLine, zuliprc: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(keybearer.home)}
    process = subprocess.Popen(
        [SCRIPT, "exec", "sh", "-c", "echo $$; exec sleep 60"], stdout=subprocess.PIPE, env=environ, text=True
    )
    assert process.stdout is not None
    assert int(process.stdout.readline()) == process.pid
    process.terminate()
    process.stdout.close()

    assert process.wait(60) == -signal.SIGTERM


def test_a_command_in_a_pipe_ends_as_without_exec(keybearer: CommandLine, zuliprc: Path) -> None:
    done = keybearer.process("exec", "sh", "-c", "(yes; echo $? >&2) | head -1")

    assert done.out == "y\n"
    assert done.err.strip() == str(128 + signal.SIGPIPE)


@pytest.mark.parametrize("name", ["nonexistent-program", "./data"])
def test_a_command_that_cannot_be_run_is_an_expected_failure(keybearer: CommandLine, zuliprc: Path, name: str) -> None:
    zuliprc.with_name("data").touch(mode=0o600)
    done = keybearer.process("exec", name, cwd=keybearer.home)

    assert done.code == 1
    assert done.complaint.startswith(f"keybearer: {name} cannot be run")


def test_a_missing_command_is_wrong_usage(keybearer: CommandLine, zuliprc: Path) -> None:
    assert keybearer.process("exec").code == 2


def test_without_credentials_no_command_is_run(keybearer: CommandLine) -> None:
    done = keybearer.process("exec", "touch", str(keybearer.home / "run"))

    assert done.code == 1
    assert not (keybearer.home / "run").exists()


def test_a_key_from_a_passcmd_is_fetched(keybearer: CommandLine, zuliprc: Path) -> None:
    zuliprc.write_text(f"[api]\nemail=ann@x.org\npasscmd=echo {KEY}\n")

    assert variables(keybearer.process("exec", "env").out)["ZULIP_API_KEY"] == KEY
    assert stat.S_IMODE(zuliprc.stat().st_mode) == 0o600
