"""`keybearer logout`: removes the credentials from this machine, and on request ends the key."""

from __future__ import annotations

import pytest

from tests.cli.command_line import CommandLine
from tests.cli.served import Person, Town


def test_the_file_is_removed_with_a_note_that_the_key_is_still_valid(town: Town, person: Person) -> None:
    key = town.server.api_key_of(person.email)

    done = person.run("logout", "--yes")

    assert (done.code, done.out) == (0, f"{person.zuliprc} was removed\n")
    assert "still valid" in done.complaint
    assert not person.zuliprc.exists()
    assert town.server.api_key_of(person.email) == key


def test_with_regenerate_the_key_ends_too(town: Town, person: Person) -> None:
    copy = town.server.write_zuliprc(person.run.home / "copy", person.email)

    done = person.run("logout", "--yes", "--regenerate")

    assert (done.code, done.err) == (0, "")
    assert list(person.run.home.iterdir()) == [copy]
    assert "Invalid API key" in person.run("whoami", "-c", str(copy)).err


def test_a_key_that_cannot_be_ended_leaves_the_file(person: Person) -> None:
    text = person.zuliprc.read_text()
    person.zuliprc.write_text(f"{text[: text.index('site=')]}site=http://localhost:1\n")

    done = person.run("logout", "--yes", "--regenerate")

    assert done.code == 1
    assert "No connection" in done.complaint
    assert person.zuliprc.exists()


@pytest.mark.parametrize(("answer", "goes"), [("y", True), ("n", False), ("", False)])
def test_the_command_asks_for_confirmation(person: Person, answer: str, goes: bool) -> None:
    done = person.run.on_terminal("logout", answers={"Continue? [y/N]": answer})

    assert person.email in done.out
    assert person.zuliprc.exists() is not goes
    assert done.code == (0 if goes else 1)


def test_without_a_terminal_the_command_does_not_ask(person: Person) -> None:
    assert person.run.process("logout").code == 0
    assert not person.zuliprc.exists()


def test_sections_of_other_programs_stay_in_the_file(person: Person) -> None:
    person.zuliprc.write_text(f"# mine\n{person.zuliprc.read_text()}[zterm]\ntheme=dark\n")

    done = person.run("logout", "--yes")

    assert done.out == f"{person.zuliprc} no longer has credentials\n"
    assert person.zuliprc.read_text() == "# mine\n[api]\n[zterm]\ntheme=dark\n"


def test_a_link_and_its_file_are_both_removed(person: Person) -> None:
    real = person.run.home / "real"
    person.zuliprc.rename(real)
    person.zuliprc.symlink_to(real)

    person.run("logout", "--yes")

    assert list(person.run.home.iterdir()) == []


def test_a_missing_zuliprc_is_reported(keybearer: CommandLine) -> None:
    done = keybearer("logout", "--yes")

    assert done.code == 1
    assert "There is no zuliprc" in done.complaint


def test_the_leftover_of_an_interrupted_replacement_is_removed(person: Person) -> None:
    left = person.zuliprc.with_name(".zuliprc.new")
    left.write_text(person.zuliprc.read_text())

    assert person.run("logout", "--yes").code == 0
    assert list(person.run.home.iterdir()) == []


def test_a_file_with_a_refused_key_is_removed(town: Town, person: Person) -> None:
    copy = town.server.write_zuliprc(person.run.home / "copy", person.email)
    assert person.run("regenerate", "--yes", "-c", str(copy)).code == 0

    done = person.run("logout", "--yes", "--regenerate")

    assert done.code == 0
    assert "already refuses the key" in done.complaint
    assert not person.zuliprc.exists()


def test_if_the_key_cannot_be_ended_the_file_stays(person: Person) -> None:
    text = person.zuliprc.read_text()
    person.zuliprc.write_text(f"{text[: text.index('site=')]}site=http://localhost:1\n")

    assert f"{person.zuliprc} was not changed" in person.run("logout", "--yes", "--regenerate").complaint
