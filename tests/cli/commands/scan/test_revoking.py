"""`keybearer scan --revoke`: what the caller is told before keys are sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.served import Person
from tests.client.scripted_server import ScriptedServer


@pytest.fixture
def leak(person: Person) -> Path:
    """A file with a named key of the person."""
    path = person.run.home / "leakrc"
    assert person.run("key", "add", "--name", "leaked", "--output", str(path)).code == 0
    return path


def test_the_question_names_the_callers_own_key(person: Person, leak: Path) -> None:
    done = person.run.on_terminal("scan", str(leak), str(person.zuliprc), "--revoke", answers={"Revoke? [y/N]": "n"})

    assert done.code == 1
    assert "2 API keys will be sent to" in done.out
    assert f"One of the keys is the one that you use yourself, from {person.zuliprc}:3." in " ".join(done.out.split())
    assert person.run("whoami").code == 0


def test_a_note_names_the_callers_own_key_if_no_question_is_asked(person: Person) -> None:
    done = person.run("scan", str(person.zuliprc), "--revoke", "--yes")

    assert f"The key is the one that you use yourself, from {person.zuliprc}:3." in done.err.splitlines()
    assert person.run("whoami").code == 1


@pytest.mark.parametrize("own", ["another key", "a command", "none"])
def test_keys_of_others_are_not_called_the_callers_own(person: Person, leak: Path, own: str) -> None:
    key = person.zuliprc.read_text().partition("key=")[2].splitlines()[0]
    match own:
        case "a command":
            text = person.zuliprc.read_text().replace(f"key={key}", f"passcmd=touch {person.run.home}/ran")
            person.zuliprc.write_text(text)
        case "none":
            person.zuliprc.unlink()
    site = leak.read_text().partition("site=")[2].strip()
    done = person.run("scan", str(leak), "--revoke", "--yes", "--site", site)

    assert "yourself" not in done.err
    assert not (person.run.home / "ran").exists()
    assert "1 API key sent to" in done.err


@pytest.mark.parametrize("place", ["--site", "the zuliprc"])
def test_an_unencrypted_connection_causes_a_warning_before_the_question(
    person: Person, leak: Path, scripted: ScriptedServer, place: str
) -> None:
    site = "http://chat.example.com"
    if place == "the zuliprc":
        text = person.zuliprc.read_text().partition("site=")[0]
        person.zuliprc.write_text(f"{text}site={site}\n")
    options = ["--site", site] if place == "--site" else []
    warning = f"keybearer: warning: everybody on the network can read what you send to {site}; use https"
    refused = person.run("scan", str(leak), "--revoke", *options)
    done = person.run("scan", str(leak), "--revoke", "--yes", *options, HTTP_PROXY=scripted.site)

    assert warning in refused.err.splitlines()
    assert warning in done.err.splitlines()
    assert [seen.method for seen in scripted.seen] == ["POST"]


def test_a_connection_to_this_machine_causes_no_warning(person: Person, leak: Path) -> None:
    assert "everybody" not in person.run("scan", str(leak), "--revoke", "--yes").err
