"""Times that a server sends are shown whatever they are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.command_line import CommandLine
from tests.client.scripted_server import EMAIL, KEY, ScriptedServer, success

BEYOND = [10**18, -(10**13), 253402300800]
"""Numbers that are no time of a calendar."""

MESSAGE: dict[str, Any] = {"id": 7, "type": "stream", "content": "Soup!", "sender_id": 3, "sender_full_name": "Ann"}
NAMED: dict[str, Any] = {"id": 1, "name": "x", "scopes": ["read"], "is_account_key": False, "created_at": 1}


@pytest.fixture
def somebody(keybearer: CommandLine, scripted: ScriptedServer) -> CommandLine:
    zuliprc = keybearer.home / ".zuliprc"
    zuliprc.write_text(f"[api]\nemail={EMAIL}\nkey={KEY}\nsite={scripted.site}\n")
    zuliprc.chmod(0o600)
    return keybearer


@pytest.mark.parametrize("seconds", BEYOND)
def test_a_message_from_beyond_the_calendar_is_printed(
    somebody: CommandLine, scripted: ScriptedServer, seconds: int
) -> None:
    scripted.otherwise = success(messages=[{**MESSAGE, "timestamp": seconds}], anchor=7, found_newest=True)
    done = somebody("messages")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{seconds} ")
    assert done.out.endswith("\n  Soup!\n")


@pytest.mark.parametrize("seconds", BEYOND)
def test_a_key_that_ends_beyond_the_calendar_is_listed_and_shown(
    somebody: CommandLine, scripted: ScriptedServer, seconds: int
) -> None:
    scripted.otherwise = success(api_keys=[{**NAMED, "expires_at": seconds, "last_used_at": seconds}])
    listed, shown = somebody("key", "list"), somebody("key", "show", "1")

    assert listed.out.splitlines()[1].split("\t")[3:5] == [str(seconds), str(seconds)]
    assert f"ends\t{seconds}\n" in shown.out
