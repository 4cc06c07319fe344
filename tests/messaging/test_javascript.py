"""zulip-js, Zulip's client for JavaScript, unpatched from npm, on a zuliprc that this server issued."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybearer.testing import Server, running_server
from tests.peers.installing import javascript

PATIENCE = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


def test_a_bot_on_zulip_js_receives_and_answers(server: Server) -> None:
    directory = javascript()
    shutil.copy(Path(__file__).with_name("echo.js"), directory / "echo.js")
    hamlet = server.add_person("Hamlet Js")
    bot = server.add_bot("Jay Ess", owner=hamlet)
    with server.running(["node", directory / "echo.js", bot.zuliprc]) as program:
        bot.wait_until_listening(timeout=PATIENCE)
        assert hamlet.ask(bot, "hello", timeout=PATIENCE).content == "js: hello"
        results = json.loads(program.wait_for_output("]", timeout=PATIENCE))
    assert results == ["success"] * 13
