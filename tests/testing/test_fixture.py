"""The test server for bots: what it reports when a bot is silent, and that it depends on nothing around it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import keybearer.testing
from keybearer.testing import BotType, NoAnswer, Participant, Role, Server, running_server

LONG = 60.0
"""Seconds that no test waits: the fixture reports long before."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(scope="module")
def hamlet(server: Server) -> Participant:
    return server.add_person("Hamlet", role=Role.MEMBER)


def test_a_program_that_ends_at_once_is_reported_with_its_exit_code_and_output(
    server: Server, hamlet: Participant
) -> None:
    bot = server.add_bot("Short Lived", owner=hamlet, bot_type=BotType.GENERIC)
    command = [sys.executable, "-c", "print('no such module'); raise SystemExit(3)", str(bot.zuliprc)]
    started = time.monotonic()
    with server.running(command), pytest.raises(NoAnswer, match="exit code 3") as raised:
        bot.wait_until_listening(timeout=LONG)

    assert "no such module" in str(raised.value)
    assert time.monotonic() - started < LONG


def test_a_program_that_ends_before_it_answers_is_reported(server: Server, hamlet: Participant) -> None:
    bot = server.add_bot("Gone", owner=hamlet)
    with (
        server.running([sys.executable, "-c", "raise SystemExit('broken')"], {"RC": str(bot.zuliprc)}),
        pytest.raises(NoAnswer, match="has ended with exit code 1") as raised,
    ):
        hamlet.ask(bot, "hello", timeout=LONG)

    assert "broken" in str(raised.value)


def test_the_end_of_one_program_does_not_affect_the_next(server: Server, hamlet: Participant) -> None:
    bot = server.add_bot("Restarted", owner=hamlet)
    with server.running([sys.executable, "-c", "", bot.zuliprc]) as program:
        program.wait()
    assert server.program_of(bot) is None
    with (
        server.running([sys.executable, "-c", "import time; time.sleep(60)", bot.zuliprc]),
        pytest.raises(NoAnswer, match="opened no event queue"),
    ):
        bot.wait_until_listening(timeout=0.5)


def test_a_bot_that_neither_follows_the_channel_nor_was_mentioned_is_reported(
    server: Server, hamlet: Participant
) -> None:
    bot = server.add_bot("Elsewhere", owner=hamlet)
    sent = hamlet.send("anybody?", to="general", topic="watch")
    with pytest.raises(NoAnswer, match="is not subscribed to the channel general and was not mentioned"):
        hamlet.wait_for_message(sender=bot, after=sent, timeout=0.2)
    sent = hamlet.send(f"{bot.mention}?", to="general", topic="watch")
    with pytest.raises(NoAnswer) as raised:
        hamlet.wait_for_message(sender=bot, after=sent, timeout=0.2)

    assert "is not subscribed" not in str(raised.value)


@pytest.mark.parametrize(
    ("names", "emails"),
    [
        (
            ["Anna Karenina", "Anna Smith", "Anna Smith", "Anna Smith"],
            ["anna@example.com", "anna.smith@example.com", "anna2@example.com", "anna3@example.com"],
        ),
        (["Žofie Nováková", "Zofie"], ["zofie@example.com", "zofie2@example.com"]),
        (["日本 太郎", "日本 花子"], ["person@example.com", "person2@example.com"]),
        (["owner"], ["owner2@example.com"]),
        (["O'Neill/../x Shaquille"], ["oneillx@example.com"]),
    ],
)
def test_people_get_unique_addresses_whatever_their_names(server: Server, names: list[str], emails: list[str]) -> None:
    people = [server.add_person(name) for name in names]

    assert [one.email for one in people] == emails
    assert all(one.zuliprc.is_file() and one.client.get_profile().email for one in people)


def test_bots_get_unique_addresses_whatever_their_names(server: Server, hamlet: Participant) -> None:
    bots = [server.add_bot(name, owner=hamlet) for name in ("日本", "日本語", "Echo Bot", "Écho Bot", "echo-bot!")]

    assert [one.email.partition("@")[0] for one in bots] == [
        "bot-bot", "bot2-bot", "echobot-bot", "echobot2-bot", "echobot3-bot",
    ]  # fmt: skip


BOT = """
import sys, keybearer
with keybearer.Client(config_file=sys.argv[1]) as client:
    for event in client.events(["message"]):
        if event.message and event.message.sender_email != client.email:
            client.send_message(to=[event.message.sender_id], content="heard")
"""


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_in_the_environment_is_ignored(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    person, bot = server.add_person(f"Proxied {name}"), server.add_bot(f"Proxied {name} Bot")
    (tmp_path / "bot.py").write_text(BOT)
    with server.running([sys.executable, tmp_path / "bot.py", bot.zuliprc]):
        bot.wait_until_listening(timeout=LONG)
        assert person.ask(bot, "hello", timeout=LONG).content == "heard"
    script = "import zulip, sys; print(zulip.Client(config_file=sys.argv[1]).get_profile()['email'])"
    with server.running([sys.executable, "-c", script, bot.zuliprc]) as program:
        assert program.wait(timeout=LONG) == 0, program.output
        assert bot.email in program.output


def test_every_public_name_exists() -> None:
    assert all(getattr(keybearer.testing, name) for name in keybearer.testing.__all__)


WITHOUT = """\
import sys
for name in ("granian", "starlette", "sqlalchemy", "msgspec", "jinja2", "argon2"):
    sys.modules[name] = None
"""
"""Simulates packages that are not installed."""


@pytest.mark.parametrize(
    "use",
    [
        "from keybearer.testing import running_server",
        "import keybearer.testing as t; t.Server",
        "import keybearer; keybearer.server.create_app",
    ],
)
def test_without_the_servers_packages_the_error_names_the_command(use: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT + use], capture_output=True, text=True, check=False)

    assert "PackageMissing" in done.stderr
    assert "pip install 'keybearer[server]'" in done.stderr


@pytest.mark.parametrize(
    "command",
    ["serve", "serve --help", "init", "init --help", "admin", "admin --help", "admin list-users"],
)
def test_a_command_without_the_servers_packages_names_the_command_to_install_them(command: str) -> None:
    program = f"{WITHOUT}from keybearer.cli.main import main\nmain({command.split()!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("keybearer: ")
    assert "pip install 'keybearer[server]'" in done.stderr


def test_the_clients_commands_need_none_of_the_servers_packages(tmp_path: Path) -> None:
    program = f"{WITHOUT}from keybearer.cli.main import main\nmain(['--help'])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
    program = program.replace("--help", "profiles")
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    assert subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=False).returncode == 0


@pytest.mark.soak
def test_the_fixture_without_the_servers_packages_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "absent.py").write_text(WITHOUT)
    (tmp_path / "test_it.py").write_text("def test_it(keybearer_server):\n    pass\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "absent",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
    ]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "pip install 'keybearer[server]'" in done.stdout
