"""`keybearer scan --revoke`: what the caller is told before keys are sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.served import Person


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
