"""A key from a command: which files may have one, how it is run, and its errors."""

from __future__ import annotations

import logging
import os
import stat
import sys
from pathlib import Path

import pytest

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.store.files import read_zuliprc
from keybearer.store.passcmd import MOST_OUTPUT, fetch_key
from keybearer.store.resolution import resolve
from keybearer.zuliprc.resolver import PasswordCommand
from keybearer.zuliprc.sources import Origin
from tests.zuliprc.exposure import assert_no_key, exposed, exposed_with_locals
from tests.zuliprc.strategies import CANARY


@pytest.fixture
def zuliprc(tmp_path: Path) -> Path:
    return tmp_path / ".zuliprc"


def write(zuliprc: Path, command: str, mode: int = 0o600) -> dict[str, str]:
    """Write a zuliprc with this command, and return the environment of its owner."""
    zuliprc.write_text(f"[api]\nemail=a@x.org\npasscmd={command}\nsite=https://z.x\n")
    zuliprc.chmod(mode)
    return {"HOME": str(zuliprc.parent), "PATH": os.environ["PATH"]}


def program(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def failure(zuliprc: Path, command: str) -> ResolutionError:
    environ = write(zuliprc, command)
    with pytest.raises(ResolutionError) as raised:
        resolve(environ=environ).credentials  # noqa: B018 - asking runs it
    assert raised.value.place == f"{zuliprc}:3"
    assert raised.value.hint
    assert_no_key(exposed(raised.value) + exposed_with_locals(raised.value))
    return raised.value


def test_the_key_is_the_first_line_that_is_printed(zuliprc: Path) -> None:
    environ = write(zuliprc, f"printf '{CANARY}\\r\\nuser: a@x.org\\n'")

    assert resolve(environ=environ).credentials.api_key == Secret(CANARY)


def test_read_zuliprc_runs_the_command(zuliprc: Path) -> None:
    write(zuliprc, f"echo {CANARY}")

    assert read_zuliprc(zuliprc).api_key == Secret(CANARY)


def test_the_command_runs_once_when_the_key_is_needed(zuliprc: Path) -> None:
    log = zuliprc.parent / "log"
    script = program(zuliprc.parent, "get", f"echo run >> {log}\necho {CANARY}")
    resolution = resolve(environ=write(zuliprc, str(script)))
    _ = resolution.email, resolution.site, resolution.tls, resolution.warnings, repr(resolution)
    assert not log.exists()

    for _ in range(3):
        assert resolution.credentials.api_key == Secret(CANARY)
    assert log.read_text() == "run\n"


def test_there_is_no_shell(zuliprc: Path) -> None:
    environ = write(zuliprc, f"echo {CANARY}; touch $HOME/hole `touch hole` && x | y > z")

    assert resolve(environ=environ).api_key.reveal().startswith(f"{CANARY}; touch $HOME/hole")
    assert [path.name for path in zuliprc.parent.iterdir()] == [".zuliprc"]


def test_quotes_keep_words_together(zuliprc: Path) -> None:
    environ = write(zuliprc, "'echo' 'a  b' \"c d\"")

    assert resolve(environ=environ).api_key == Secret("a  b c d")


def test_a_tilde_and_a_path_relative_to_the_file_are_found(zuliprc: Path) -> None:
    program(zuliprc.parent, "get", "echo $1 | tr a-z A-Z")
    for command in ("~/get key", "./get key"):
        assert resolve(environ=write(zuliprc, command)).api_key == Secret("KEY")


def test_the_command_gets_the_environment_and_no_input(zuliprc: Path) -> None:
    script = program(zuliprc.parent, "get", 'echo "$VAULT-$(cat | wc -c | tr -d " ")"')
    environ = write(zuliprc, str(script))

    assert resolve(environ={**environ, "VAULT": "v"}).api_key == Secret("v-0")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"sh -c 'echo {CANARY}; echo {CANARY} >&2; exit 3'", "exit status 3"),
        (f"sh -c 'echo {CANARY}; kill -9 $$'", "signal 9"),
        (f"/nonexistent/{CANARY}", "cannot be run"),
        ("true", "printed has no key"),
        (f"printf '\\n{CANARY}\\n'", "printed has no key"),
        (f"printf '\\377{CANARY}'", "printed has no key"),
        (f"printf 'a\\t{CANARY}'", "not just a key"),
        (f"printf '\"{CANARY}\"'", "not just a key"),
        (f"echo '{CANARY}", "not a command"),
        ("''", "cannot be run"),
        (f"{sys.executable} -c \"print('{CANARY}' * {MOST_OUTPUT})\"", "signal"),
    ],
)
def test_a_failed_command_is_reported_without_its_output(zuliprc: Path, command: str, said: str) -> None:
    error = failure(zuliprc, command)

    assert error.kind == "passcmd_failed"
    assert said in str(error)


def test_the_error_for_a_missing_keyring_names_the_extra(zuliprc: Path) -> None:
    environ = write(zuliprc, "keyring get zulip a@x.org")
    with pytest.raises(ResolutionError, match="cannot be run") as raised:
        _ = resolve(environ={**environ, "PATH": str(zuliprc.parent)}).credentials

    assert raised.value.hint == "Run: pip install 'keybearer[keyring]'"


def test_a_failed_command_is_tried_again_at_the_next_use(zuliprc: Path) -> None:
    resolution = resolve(environ=write(zuliprc, "cat ~/key"))
    with pytest.raises(ResolutionError):
        _ = resolution.credentials
    (zuliprc.parent / "key").write_text(CANARY)

    assert resolution.credentials.api_key == Secret(CANARY)


@pytest.mark.parametrize("command", ["sleep 30", "sh -c 'exec >&-; exec sleep 30'", "sh -c 'echo k; exec sleep 30'"])
def test_a_command_that_does_not_end_is_stopped(tmp_path: Path, command: str) -> None:
    with pytest.raises(ResolutionError) as raised:
        fetch_key(
            PasswordCommand(Secret(command), Origin("file", "rc:3", "passcmd", str(tmp_path / "rc"), 3)),
            os.environ,
            timeout=0.3,
        )

    assert raised.value.kind == "passcmd_timeout"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o660, 0o666])
def test_a_command_in_a_file_that_others_can_write_is_not_run(zuliprc: Path, mode: int) -> None:
    environ = write(zuliprc, f"touch {zuliprc.parent}/hole", mode)

    with pytest.raises(ResolutionError, match="another user can write") as raised:
        resolve(environ=environ)
    assert (raised.value.kind, raised.value.place) == ("passcmd_unsafe", f"{zuliprc}:3")
    assert not (zuliprc.parent / "hole").exists()


def test_a_command_in_a_file_that_others_can_read_is_run(zuliprc: Path) -> None:
    assert resolve(environ=write(zuliprc, "echo k", 0o644)).api_key == Secret("k")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_command_in_a_file_of_another_user_is_not_run(zuliprc: Path) -> None:
    environ = write(zuliprc, "echo k")
    os.chown(zuliprc, 4242, 4243)

    with pytest.raises(ResolutionError, match="belongs to another user") as raised:
        resolve(environ=environ)
    assert raised.value.kind == "passcmd_unsafe"


def test_a_command_from_a_pipe_is_not_run(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"[api]\nemail=a@x.org\npasscmd=echo k\n")
    os.close(writer)
    try:
        with pytest.raises(ResolutionError) as raised:
            resolve(f"/dev/fd/{reader}", environ={})
    finally:
        os.close(reader)
    assert raised.value.kind == "passcmd_unsafe"


def test_a_key_from_a_variable_does_not_run_an_unsafe_command(zuliprc: Path) -> None:
    environ = write(zuliprc, f"touch {zuliprc.parent}/hole", 0o666)

    assert resolve(environ={**environ, "ZULIP_API_KEY": "k"}).credentials.api_key == Secret("k")
    assert not (zuliprc.parent / "hole").exists()


def test_nothing_is_logged(zuliprc: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    resolution = resolve(environ=write(zuliprc, f"echo {CANARY}"))
    _ = resolution.credentials

    assert caplog.records == []
    assert stat.S_IMODE(zuliprc.stat().st_mode) == 0o600


def test_a_background_process_of_the_command_is_not_waited_for(zuliprc: Path) -> None:
    """It keeps the output open for much longer than the time limit of the command."""
    environ = write(zuliprc, "true")
    command = PasswordCommand(
        Secret("sh -c 'sleep 300 & echo the-key'"), Origin("file", "rc:3", "passcmd", str(zuliprc))
    )

    assert fetch_key(command, environ, timeout=120).reveal() == "the-key"


def test_a_command_that_prints_slowly_is_read_to_its_end(zuliprc: Path) -> None:
    environ = write(zuliprc, "true")
    text = "sh -c 'printf the-; sleep 0.3; printf ke; sleep 0.2; echo y'"
    command = PasswordCommand(Secret(text), Origin("file", "rc:3", "passcmd", str(zuliprc)))

    assert fetch_key(command, environ).reveal() == "the-key"
