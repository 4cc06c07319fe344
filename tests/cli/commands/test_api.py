"""`keybearer api` and `keybearer send`: a call of the API, and a message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keybearer import api_key
from tests.cli.command_line import CommandLine
from tests.cli.served import Person, Town
from tests.client.scripted_server import ScriptedServer, success


@pytest.fixture
def asked(person: Person, scripted: ScriptedServer) -> Person:
    """A person whose calls go to the scripted server."""
    text = person.zuliprc.read_text()
    person.zuliprc.write_text(f"{text[: text.index('site=')]}site={scripted.site}\n")
    return person


def test_a_call_prints_the_whole_answer(person: Person) -> None:
    done = person.run.process("api", "get", "users/me")

    assert (done.code, done.err) == (0, "")
    answer = json.loads(done.out)
    assert (answer["result"], answer["email"]) == ("success", person.email)


@pytest.mark.parametrize("path", ["users/me", "/users/me", "/api/v1/users/me"])
def test_a_path_is_accepted_in_any_form(asked: Person, scripted: ScriptedServer, path: str) -> None:
    asked.run("api", "GET", path)

    assert scripted.seen[0].path == "/api/v1/users/me"


def test_values_are_sent_unchanged(asked: Person, scripted: ScriptedServer) -> None:
    asked.run("api", "PATCH", "settings", "a=true", 'b=["x"]', "c=1=2", "d=")

    assert scripted.seen[0].method == "PATCH"
    assert scripted.seen[0].form == {"a": "true", "b": '["x"]', "c": "1=2", "d": ""}


def test_a_repeated_name_is_refused_before_a_request(asked: Person, scripted: ScriptedServer) -> None:
    done = asked.run("api", "POST", "messages", "to=a@x.org", "to=b@x.org")

    assert (done.code, done.out, scripted.seen) == (2, "", [])
    assert "'to' is given twice" in done.complaint


def test_a_value_can_come_from_a_file_or_from_standard_input(
    asked: Person, scripted: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("über\n")

    asked.run("api", "POST", "messages", f"content@{tmp_path / 'text'}", "secret@-", stdin="hush")

    assert scripted.seen[0].form == {"content": "über", "secret": "hush"}


@pytest.mark.parametrize("text", ["one", "one\n", "one\r\n", "one\r\ntwo\n", "one\n\n", " one ", "\n", ""])
def test_only_the_last_line_end_of_a_file_or_of_standard_input_is_removed(
    asked: Person, scripted: ScriptedServer, tmp_path: Path, text: str
) -> None:
    (tmp_path / "text").write_bytes(text.encode())

    asked.run.process("api", "POST", "messages", f"content@{tmp_path / 'text'}", "again@-", stdin=text.encode())

    expected = text.removesuffix("\n").removesuffix("\r")
    assert scripted.seen[0].form == {"content": expected, "again": expected}


def test_a_file_can_be_uploaded(asked: Person, scripted: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")

    asked.run("api", "POST", "user_uploads", "--upload", str(tmp_path / "picture.png"))

    assert b'filename="picture.png"' in scripted.seen[0].body
    assert b"\x89PNG" in scripted.seen[0].body


def test_a_refusal_is_printed_and_reported(person: Person) -> None:
    done = person.run("api", "GET", "users/999999")

    assert done.code == 1
    assert json.loads(done.out)["code"] == "BAD_REQUEST"
    assert "No such user" in done.complaint


@pytest.mark.parametrize("arguments", [["GRAB", "users/me"], ["GET", "../../etc"], ["GET", "https://evil.example/x"]])
def test_an_invalid_call_is_reported_and_not_sent(
    asked: Person, scripted: ScriptedServer, arguments: list[str]
) -> None:
    assert asked.run("api", *arguments).code == 1
    assert scripted.seen == []


@pytest.mark.parametrize("parameter", ["alone", "=value", ""])
def test_a_parameter_without_a_name_is_wrong_usage(keybearer: CommandLine, parameter: str) -> None:
    assert keybearer("api", "GET", "users/me", parameter).code == 2


def test_a_missing_file_is_reported(asked: Person) -> None:
    assert "missing" in asked.run("api", "POST", "messages", "content@missing").complaint
    assert "missing" in asked.run("api", "POST", "user_uploads", "--upload", "missing").complaint


def test_keys_in_an_answer_are_masked_unless_requested(town: Town, person: Person) -> None:
    made = json.loads(
        person.run("api", "POST", "bots", f"full_name={person.name} Bot", f"short_name={person.name}", "--reveal").out
    )
    key = made["api_key"]

    masked, clear = person.run("api", "GET", "bots"), person.run("api", "GET", "bots", "--reveal")

    assert key not in masked.out + masked.err
    assert "--reveal" in masked.complaint
    assert json.loads(clear.out)["bots"][0]["api_key"] == key
    assert key in person.run("api", "GET", f"bots/{made['user_id']}/api_key").out


def test_a_new_named_key_is_printed_because_it_is_shown_only_once(person: Person) -> None:
    made = json.loads(person.run("api", "POST", "users/me/api_keys", "name=script").out)
    renewed = json.loads(person.run("api", "POST", f"users/me/api_keys/{made['id']}/regenerate").out)
    assert api_key.is_ours(made["api_key"])
    assert api_key.is_ours(renewed["api_key"])


Form = dict[str, Any]


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        (["--to", "general", "--topic", "lunch"], {"type": "stream", "to": "general", "topic": "lunch"}),
        (["--to", "7", "--topic", "lunch"], {"type": "stream", "to": "7", "topic": "lunch"}),
        (["--to", "a@x.org"], {"type": "private", "to": '["a@x.org"]'}),
        (["--to", "a@x.org", "--to", "b@x.org"], {"type": "private", "to": '["a@x.org", "b@x.org"]'}),
        (["--to", "7", "--to", "8"], {"type": "private", "to": "[7, 8]"}),
    ],
    ids=["channel", "channel by number", "person", "people", "people by number"],
)
def test_a_message_goes_to_a_channel_or_to_people(
    asked: Person, scripted: ScriptedServer, arguments: list[str], form: Form
) -> None:
    scripted.otherwise = success(id=42)

    done = asked.run("send", *arguments, "Soup!")

    assert (done.code, done.out) == (0, "Sent message 42\n")
    sent = scripted.seen[0].form
    assert {**sent, "to": sent["to"].replace("[7,8]", "[7, 8]").replace('","', '", "')} == {**form, "content": "Soup!"}


def test_the_text_of_a_message_can_come_from_standard_input(asked: Person, scripted: ScriptedServer) -> None:
    scripted.otherwise = success(id=42)

    done = asked.run("send", "--to", "a@x.org", "--json", "-", stdin="one\ntwo\n")

    assert json.loads(done.out) == {"id": 42}
    assert scripted.seen[0].form["content"] == "one\ntwo\n"


@pytest.mark.parametrize(
    "arguments",
    [["Soup!"], ["--to", "general", "Soup!"], ["--to", "a", "--to", "b", "--topic", "t", "Soup!"], ["--to", "a@x.org"]],
    ids=["to nobody", "a channel without a topic", "two channels", "no text"],
)
def test_an_incomplete_message_is_wrong_usage(keybearer: CommandLine, arguments: list[str]) -> None:
    assert keybearer("send", *arguments).code == 2


def test_a_message_arrives(town: Town, person: Person) -> None:
    reader = town.person()

    sent = person.run("send", "--to", reader.email, "Hello", "--json")
    read = reader.run("api", "GET", f"messages/{json.loads(sent.out)['id']}", "apply_markdown=false")

    assert json.loads(read.out)["message"]["content"] == "Hello"
