"""A terminal shows a spinner for a slow server. A pipe does not."""

from __future__ import annotations

import time

import pytest

from tests.cli.command_line import CommandLine
from tests.client.scripted_server import PROFILE, Reply, ScriptedServer, Seen, success

FILE = "[api]\nemail=hamlet@example.com\nkey=kbAAAAAAAAAAAAAAAAAAAAAAAA3zSVTW\nsite={site}\n"


@pytest.fixture
def slow(scripted: ScriptedServer, keybearer: CommandLine) -> CommandLine:
    """A person whose server answers slowly."""

    def answer(seen: Seen) -> Reply:
        time.sleep(0.9)
        return success(**PROFILE)

    scripted.otherwise = answer
    zuliprc = keybearer.home / ".zuliprc"
    zuliprc.write_text(FILE.format(site=scripted.site))
    zuliprc.chmod(0o600)
    return keybearer


def test_on_a_terminal_the_spinner_moves_until_the_response(slow: CommandLine, scripted: ScriptedServer) -> None:
    done = slow.on_terminal("whoami")

    assert done.code == 0
    assert f"Waiting for {scripted.site}" in done.out
    assert done.out.rstrip().endswith(f"member at {scripted.site}")


def test_without_colours_the_spinner_has_none(slow: CommandLine) -> None:
    done = slow.on_terminal("whoami", NO_COLOR="1")

    assert "Waiting for" in done.out
    assert "\x1b[3" not in done.out


def test_in_a_pipe_there_is_no_spinner(slow: CommandLine) -> None:
    done = slow.process("whoami")

    assert done.err == ""
    assert done.out.startswith("Hamlet <hamlet@example.com>")
