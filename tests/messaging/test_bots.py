"""Bots from PyPI, unpatched, on a zuliprc that this server issued: `zulip`, its tools, and `zulip_bots`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import zulip

from keybearer.testing import Participant, Server, running_server

BIN = Path(sys.executable).parent
SLOW_START = 30.0
"""Seconds that a program may take to start on a busy machine."""

ECHO = """
import sys, zulip
client = zulip.Client(config_file=sys.argv[1])
def answer(event):
    message = event["message"]
    if message["sender_email"] != client.email:
        client.send_message({"type": "private", "to": [message["sender_id"]], "content": message["content"]})
client.call_on_each_event(answer, event_types=["message"])
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(scope="module")
def hamlet(server: Server) -> Participant:
    return server.add_person("Hamlet Prince")


def tool(name: str, *arguments: str | Path) -> Sequence[str]:
    return [str(BIN / name), *map(str, arguments)]


def test_the_bindings_send_and_read(server: Server, hamlet: Participant) -> None:
    client = zulip.Client(config_file=str(hamlet.zuliprc))
    assert client.get_profile()["email"] == hamlet.email
    sent = client.send_message({"type": "stream", "to": "general", "topic": "bindings", "content": "words"})
    assert sent["result"] == "success"
    query: dict[str, Any] = {"anchor": "newest", "num_before": 1, "num_after": 0, "narrow": [["topic", "bindings"]]}
    (message,) = client.get_messages(query)["messages"]
    assert message["id"] == sent["id"]
    edited = client.update_message({"message_id": sent["id"], "content": "other words"})
    assert edited["result"] == "success"
    assert client.get_raw_message(sent["id"])["raw_content"] == "other words"
    assert client.add_reaction({"message_id": sent["id"], "emoji_name": "octopus"})["result"] == "success"
    assert (
        client.update_message_flags({"messages": [sent["id"]], "op": "add", "flag": "starred"})["result"] == "success"
    )
    assert client.get_streams()["streams"][0]["name"] == "general"
    assert client.add_subscriptions([{"name": "theatre"}])["result"] == "success"
    assert client.get_subscriptions()["subscriptions"][-1]["name"] == "theatre"
    assert client.get_stream_id("theatre")["result"] == "success"
    assert client.set_typing_status({"op": "start", "to": [server.owner.id]})["result"] == "success"
    assert client.update_presence({"status": "active"})["result"] == "success"
    assert client.render_message({"content": "*x*"})["rendered"] == "<p><em>x</em></p>"
    with hamlet.zuliprc.open("rb") as file:
        assert client.upload_file(file)["url"].startswith("/user_uploads/")
    queue = client.register(event_types=["message"])
    assert client.deregister(queue["queue_id"])["result"] == "success"


def test_zulip_send_reaches_a_channel_and_a_person(server: Server, hamlet: Participant) -> None:
    for arguments in (["--stream", "general", "--subject", "tools"], [server.owner.email]):
        with server.running(
            tool("zulip-send", "--config-file", hamlet.zuliprc, "-m", "from a shell", *arguments)
        ) as run:
            assert run.wait(timeout=SLOW_START) == 0, run.output
    assert [message.type for message in server.owner.messages(sender=hamlet)][-2:] == ["stream", "private"]


def test_call_on_each_event_receives_and_answers(server: Server, hamlet: Participant, tmp_path: Path) -> None:
    bot = server.add_bot("Echo", owner=hamlet)
    program = tmp_path / "echo.py"
    program.write_text(ECHO)
    with server.running([sys.executable, program, bot.zuliprc]):
        bot.wait_until_listening(timeout=SLOW_START)
        assert hamlet.ask(bot, "nymph").content == "nymph"


def test_helloworld_answers_alone_and_in_a_channel(server: Server, hamlet: Participant) -> None:
    bot = server.add_bot("Greeter", owner=hamlet)
    with server.running(tool("zulip-run-bot", "helloworld", "--config-file", bot.zuliprc)):
        bot.wait_until_listening(timeout=SLOW_START)
        assert hamlet.ask(bot, "hello").content == "beep boop"
        assert hamlet.ask(bot, "hello", to="general", topic="bots").content == "beep boop"


def test_a_bot_can_store_something_on_the_server(server: Server, hamlet: Participant) -> None:
    bot = server.add_bot("Counter", owner=hamlet)
    with server.running(tool("zulip-run-bot", "incrementor", "--config-file", bot.zuliprc)):
        bot.wait_until_listening(timeout=SLOW_START)
        first = hamlet.ask(bot, "count")
        assert first.content == "1"
        hamlet.send("count", to=bot)
        assert hamlet.wait_for_message(sender=bot, containing="2").id == first.id


def test_a_bot_whose_key_was_replaced_says_so_and_works_with_the_new_file(
    server: Server, hamlet: Participant, tmp_path: Path
) -> None:
    bot = server.add_bot("Phoenix", owner=hamlet)
    old = Path(shutil.copy(bot.zuliprc, tmp_path / "zuliprc"))
    bot.regenerate_api_key()
    with server.running(tool("zulip-run-bot", "helloworld", "--config-file", old)) as run:
        assert run.wait(timeout=SLOW_START) == 1
        assert "ERROR: Invalid API key" in run.output
    with server.running(tool("zulip-run-bot", "helloworld", "--config-file", bot.zuliprc)):
        bot.wait_until_listening(timeout=SLOW_START)
        assert hamlet.ask(bot, "hello").content == "beep boop"
