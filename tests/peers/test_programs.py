"""Programs that nobody here wrote do their job against a new server, unpatched and pinned."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from keybearer.server.domain.bots import BotType
from keybearer.testing import Participant, Server, running_server
from tests.peers import installing

TAKES_AT_MOST = 60.0


@dataclass(frozen=True)
class Stage:
    """A server with a person who follows a channel, and the directory with the programs."""

    server: Server
    hamlet: Participant
    programs: Path
    home: Path

    @property
    def environ(self) -> dict[str, str]:
        """What a program sees: its packages, and no credentials but those it is given."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZULIP_")}
        return {**inherited, "PYTHONPATH": str(self.programs), "HOME": str(self.home)}

    def command(self, program: str, *arguments: str) -> list[str]:
        """A program with its arguments, run by this Python."""
        return [sys.executable, str(self.programs / program), *arguments]

    def run(self, program: str, *arguments: str) -> str:
        """Run a program to its end; returns what it wrote."""
        done = subprocess.run(
            self.command(program, *arguments),
            env=self.environ,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=TAKES_AT_MOST,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    programs = installing.programs() / "packages"
    with running_server() as server:
        hamlet = server.add_person("Hamlet Prince")
        server.add_channel("ops", subscribers=[hamlet])
        for number in (1, 2, 3):
            hamlet.send(f"message {number}", to="ops", topic="archive")
        yield Stage(server, hamlet, programs, tmp_path_factory.mktemp("home"))


def test_a_command_line_of_others_reads_and_writes(stage: Stage) -> None:
    config = ("--config", str(stage.hamlet.zuliprc), "--archive-root", str(stage.home / "archive"))
    assert "Hamlet Prince" in stage.run("bin/zlp", *config, "whoami")
    assert "ops" in stage.run("bin/zlp", *config, "streams").splitlines()
    assert "archive" in stage.run("bin/zlp", *config, "topics", "--stream", "ops")
    assert "message 2" in stage.run("bin/zlp", *config, "messages", "--stream", "ops")
    stage.run("bin/zlp", *config, "send", "--stream", "ops", "--topic", "sent", "--msg", "from the command line")
    assert stage.hamlet.wait_for_message(containing="from the command line").topic == "sent"


def test_an_exporter_takes_every_message_of_a_channel_along(stage: Stage) -> None:
    stage.server.add_channel("exported", subscribers=[stage.hamlet])
    for number in (1, 2, 3):
        stage.hamlet.send(f"kept {number}", to="exported")
    key = stage.hamlet.client.credentials
    assert key is not None
    out = stage.run(
        "bin/perceval", "zulip", stage.server.site, "exported", "-e", stage.hamlet.email,
        "-t", key.api_key.reveal(), "--no-archive", "--json-line",
    )  # fmt: skip
    rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert [row["data"]["content"] for row in rows] == ["kept 1", "kept 2", "kept 3"]


ASYNCHRONOUS = """
import asyncio, sys
from zulip_agent_adapter import ZulipAdapter, ZulipConfig

async def main():
    site, email, key = sys.argv[1:]
    adapter = ZulipAdapter(ZulipConfig(base_url=site, bot_email=email, api_key=key, chatmode="onmessage"))
    async def answer(event):
        await adapter.send(event.source.chat_id, f"heard {event.text}")
    adapter.on_message = answer
    assert await adapter.connect()
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_an_asynchronous_library_of_others_hears_and_answers(stage: Stage) -> None:
    bot = stage.server.add_bot("Adapter", owner=stage.hamlet)
    credentials = bot.client.credentials
    assert credentials is not None
    program = stage.home / "adapter.py"
    program.write_text(ASYNCHRONOUS)
    command = [sys.executable, str(program), stage.server.site, bot.email, credentials.api_key.reveal()]
    with stage.server.running(command, stage.environ):
        bot.wait_until_listening(timeout=TAKES_AT_MOST)
        assert "heard hello" in stage.hamlet.ask(bot, "hello", timeout=TAKES_AT_MOST).content


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_zulip_botserver_runs_several_bots_of_one_file_of_ours(stage: Stage) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    bots = [
        stage.server.add_bot(name, owner=stage.hamlet, bot_type=BotType.OUTGOING_WEBHOOK, payload_url=url)
        for name in ("Greeter", "Counter")
    ]
    file = stage.home / "botserverrc"
    names = [f"{section}={bot.id}" for section, bot in zip(("helloworld", "incrementor"), bots, strict=True)]
    done = subprocess.run(
        [sys.executable, "-m", "keybearer", "bot", "botserverrc", *names, "--output", str(file),
         "-c", str(stage.hamlet.zuliprc)],
        capture_output=True, text=True, check=False, timeout=TAKES_AT_MOST,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^token=\w{32}$", file.read_text(), re.MULTILINE)) == 2
    server = stage.command(
        "bin/zulip-botserver", "--config-file", str(file), "--hostname", "127.0.0.1", "--port", str(port)
    )
    with stage.server.running(server, stage.environ) as program:
        program.wait_for_output("Running on", timeout=TAKES_AT_MOST)
        assert "beep boop" in stage.hamlet.ask(bots[0], "hello", timeout=TAKES_AT_MOST).content
        assert stage.hamlet.ask(bots[1], "hello", timeout=TAKES_AT_MOST).content == "1"


BUNDLED: Sequence[tuple[str, str, str]] = (
    ("helloworld", "hello", "beep boop"),
    ("help", "hello", "Info on Zulip"),
    ("converter", "12 celsius fahrenheit", "53.6"),
    ("encrypt", "Let's Convert", "Yrg'f Pbaireg"),
    ("virtual_fs", "mkdir /foo", "directory created"),
    ("tictactoe", "help", "tic"),
    ("connect_four", "help", "Connect Four"),
    ("game_of_fifteen", "help", "Game of Fifteen"),
)
"""Bots that come with Zulip's package and need nobody else: what is said to each, and what is in its answer."""


@pytest.mark.soak
@pytest.mark.parametrize(("name", "question", "answer"), BUNDLED)
def test_the_bundled_bots_answer(stage: Stage, name: str, question: str, answer: str) -> None:
    bot = stage.server.add_bot(f"Bundled {name}", owner=stage.hamlet)
    command = stage.command("bin/zulip-run-bot", name, "--config-file", str(bot.zuliprc))
    with stage.server.running(command, stage.environ):
        bot.wait_until_listening(timeout=TAKES_AT_MOST)
        assert answer.casefold() in stage.hamlet.ask(bot, question, timeout=TAKES_AT_MOST).content.casefold()


SCRIPTS: Sequence[tuple[str, Sequence[str], str]] = (
    ("list-users", (), "hamlet@example.com"),
    ("get-subscriptions", (), "ops"),
    ("get-public-streams", (), "general"),
    ("get-stream-topics", ("--stream-id=2",), "archive"),
    ("get-raw-message", ("1",), "message 1"),
    ("get-history", ("--stream=ops",), ""),
    ("message-history", ("1",), "message 1"),
    ("send-message", ("hamlet@example.com", "--message=by a script"), "success"),
    ("subscribe", ("--streams=made by a script",), "success"),
    ("unsubscribe", ("--streams=made by a script",), "success"),
    ("edit-message", ("--message-id=1", "--content=edited by a script"), "success"),
    ("update-message-flags", ("add", "starred", "1"), "success"),
    ("get-user-presence", ("--email=hamlet@example.com",), ""),
    ("realm-emoji", (), "emoji"),
)
"""The examples that come with Zulip's package, with what each is given and what is in its output."""


@pytest.mark.soak
@pytest.mark.parametrize(("name", "arguments", "told"), SCRIPTS)
def test_the_examples_of_zulips_package_work(stage: Stage, name: str, arguments: Sequence[str], told: str) -> None:
    stage.hamlet.client.request("POST", "users/me/presence", {"status": "active"})
    out = stage.run(f"zulip/examples/{name}", "--config-file", str(stage.hamlet.zuliprc), *arguments)
    assert told in out
