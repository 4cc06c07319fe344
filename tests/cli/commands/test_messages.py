"""`keybearer messages` and `keybearer listen`: print messages in the terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click import UsageError

from keybearer.cli.commands.messages import parse_narrow
from keybearer.client.sync import Client
from tests.cli.command_line import SCRIPT, CommandLine
from tests.cli.served import Person, Town
from tests.cli.test_main import react_to_interrupts
from tests.client.scripted_server import Reply, ScriptedServer, Seen, success

KEY = "q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me"
MESSAGE: dict[str, Any] = {
    "id": 7,
    "type": "stream",
    "content": "Soup!",
    "sender_id": 3,
    "sender_full_name": "Ann",
    "sender_email": "ann@x.org",
    "display_recipient": "general",
    "subject": "lunch",
    "timestamp": 1700000000,
}


def client_of(person: Person) -> Client:
    return Client(config_file=person.zuliprc)


def test_messages_of_a_channel_and_topic_are_printed_the_oldest_first(person: Person) -> None:
    with client_of(person) as client:
        for text in ("one", "two\nand more", "three"):
            client.send_message(to="general", topic="reading", content=text)
        client.send_message(to="general", topic="elsewhere", content="four")
    done = person.run("messages", "channel:general", "topic:reading", "--limit", "2")

    assert done.code == 0
    assert "#general > reading" in done.out
    assert person.name in done.out
    assert [line for line in done.out.splitlines() if line.startswith("  ")] == ["  two", "  and more", "  three"]


def test_messages_as_json_are_lines_as_the_server_sends_them(person: Person) -> None:
    with client_of(person) as client:
        sent = client.send_message(to="general", topic="json", content="**bold**")
    done = person.run("messages", "sender:me", "topic:json", "--json")
    (line,) = done.out.splitlines()

    assert json.loads(line)["id"] == sent.id
    assert json.loads(line)["content"] == "**bold**"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["is:dm"], ["mine to you"]),
        (["sender:me", "-is:dm"], ["in general"]),
        (["sender:me"], ["mine to you", "in general"]),
        (["mine"], ["mine to you"]),
        (["nothing", "like", "this"], []),
    ],
    ids=lambda value: " ".join(value) or "none",
)
def test_a_narrow_selects_as_zulips_search_does(
    person: Person, town: Town, arguments: list[str], expected: list[str]
) -> None:
    other = town.person()
    with client_of(person) as client:
        client.send_message(to=[other.email], content="mine to you")
        client.send_message(to="general", topic=person.name, content="in general")
    done = person.run("messages", "--json", "--", *arguments)

    assert done.code == 0
    assert sorted(json.loads(line)["content"] for line in done.out.splitlines()) == sorted(expected)


def test_without_matches_people_get_a_note_and_programs_get_nothing(person: Person) -> None:
    assert person.run("messages", "topic:never").err == "There are no such messages.\n"
    done = person.run("messages", "topic:never", "--json")
    assert (done.code, done.out, done.err) == (0, "", "")


def terms(*arguments: str) -> list[tuple[object, ...]]:
    return [(term["operator"], term["operand"], term["negated"]) for term in parse_narrow(arguments, own_id=lambda: 5)]


def test_a_narrow_is_read_as_in_the_search_box_or_as_shell_arguments() -> None:
    assert terms('channel:ops topic:"night shift" sender:me') == terms("channel:ops", "topic:night shift", "sender:me")
    assert terms("channel:ops", "topic:night shift") == [("channel", "ops", False), ("topic", "night shift", False)]
    assert terms("-is:dm", "sender:7", "dm:me", "dm:a@x.org,b@x.org") == [
        ("is", "dm", True),
        ("sender", 7, False),
        ("dm", [5], False),
        ("dm", "a@x.org,b@x.org", False),
    ]
    assert terms("http://x.org", "disk full") == [("search", "http://x.org disk full", False)]
    assert terms('"disk full" now') == [("search", '"disk full" now', False)]


@pytest.mark.parametrize("term", ["channel:", 'topic:""', "sender: "])
def test_an_operator_without_a_value_is_wrong_usage(term: str) -> None:
    with pytest.raises(UsageError, match="has no value"):
        terms(term)


@pytest.fixture
def scripted_person(keybearer: CommandLine, scripted: ScriptedServer) -> CommandLine:
    zuliprc = keybearer.home / ".zuliprc"
    zuliprc.write_text(f"[api]\nemail=a@x.org\nkey={KEY}\nsite={scripted.site}\n")
    zuliprc.chmod(0o600)
    return keybearer


@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "json"])
def test_message_text_cannot_control_the_terminal_and_is_complete(
    scripted_person: CommandLine, scripted: ScriptedServer, as_json: list[str]
) -> None:
    evil = f"\x1b[2J\x9b2J\u202egnp.\r\n{KEY}\ttab\x07"
    changed = {"content": evil, "sender_full_name": evil, "subject": evil, "display_recipient": evil}
    scripted.otherwise = success(messages=[{**MESSAGE, **changed}])
    out = scripted_person("messages", *as_json).out

    assert not any(one in out for one in "\x1b\x9b\u202e\x07\r")
    assert KEY in out, "what a command exists to print stays"
    if as_json:
        assert json.loads(out)["content"] == evil


@contextmanager
def listening(person: Person, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`keybearer listen` while the block runs, once its queue is open."""
    process = subprocess.Popen(
        [SCRIPT, "listen", *options],
        env={"PATH": os.environ["PATH"], "HOME": str(person.run.home), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=react_to_interrupts,  # noqa: PLW1509 - nothing but the handler is set, and no lock is taken
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def say_until_heard(person: Person, process: subprocess.Popen[str], topic: str, text: str) -> str:
    """Send the text repeatedly until a line is printed, since the queue may not be open yet."""
    heard: list[str] = []
    assert process.stdout is not None
    reading = threading.Thread(target=lambda: heard.append(process.stdout.readline() if process.stdout else ""))
    reading.start()
    deadline = time.monotonic() + 30
    with client_of(person) as client:
        while reading.is_alive() and time.monotonic() < deadline:
            client.send_message(to="general", topic=topic, content=text)
            reading.join(0.5)
    assert heard, "nothing was printed"
    return heard[0]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_messages_are_printed_as_they_arrive_until_a_signal(person: Person, number: signal.Signals, code: int) -> None:
    with listening(person, "--channel", "general", "--topic", person.name, "--json") as process:
        line = say_until_heard(person, process, person.name, "now")
        with client_of(person) as client:
            client.send_message(to="general", topic="another", content="not for it")
            client.send_message(to="general", topic=person.name, content="last")
        lines: list[str] = []
        assert process.stdout is not None
        while not lines or json.loads(lines[-1])["content"] != "last":
            lines.append(process.stdout.readline())
        process.send_signal(number)
        out, err = process.communicate(timeout=30)

    assert json.loads(line)["content"] == "now"
    assert "not for it" not in "".join(lines) + out
    assert process.returncode == code
    assert err.strip() == "keybearer: Stopped"


def test_listening_ends_silently_when_the_reader_closes_the_pipe(person: Person) -> None:
    with listening(person) as process:
        say_until_heard(person, process, person.name, "now")
        assert process.stdout is not None
        process.stdout.close()
        with client_of(person) as client:
            deadline = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < deadline:
                client.send_message(to="general", topic=person.name, content="again")
                time.sleep(0.2)
        assert process.stderr is not None

        assert process.returncode == 1
        assert process.stderr.read() == ""
        process.stdout = None


def test_an_unknown_channel_is_reported_at_once(person: Person) -> None:
    done = person.run("listen", "--channel", "nowhere")

    assert done.code == 1
    assert "There is no channel 'nowhere'" in done.complaint


def test_a_channel_without_a_subscription_can_be_listened_to(
    scripted_person: CommandLine, scripted: ScriptedServer
) -> None:
    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/register"):
            return Reply(401, json={"result": "error", "msg": "Invalid API key", "code": "UNAUTHORIZED"})
        return success(subscriptions=[], stream_id=4)

    scripted.otherwise = answer
    scripted_person("listen", "--channel", "ops", "--topic", "x y")
    form = next(seen.form for seen in scripted.seen if seen.path.endswith("/register"))

    assert form["all_public_streams"] == "true"
    assert json.loads(form["narrow"]) == [["stream", "ops"], ["topic", "x y"]]
