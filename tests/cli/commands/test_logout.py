"""`keybearer logout`: the credentials are gone from this machine, and on demand everywhere."""

from __future__ import annotations

import pytest

from tests.cli.command_line import CommandLine
from tests.cli.served import Person, Town


def test_the_file_goes_and_it_is_said_that_the_key_lives_on(town: Town, person: Person) -> None:
    key = town.server.api_key_of(person.email)

    done = person.run("logout", "--yes")

    assert (done.code, done.out) == (0, f"{person.zuliprc} was removed\n")
    assert "still valid" in done.complaint
    assert not person.zuliprc.exists()
    assert town.server.api_key_of(person.email) == key


def test_the_key_is_ended_too_on_demand(town: Town, person: Person) -> None:
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
def test_a_person_is_asked(person: Person, answer: str, goes: bool) -> None:
    done = person.run.on_terminal("logout", answers={"Continue? [y/N]": answer})

    assert person.email in done.out
    assert person.zuliprc.exists() is not goes
    assert done.code == (0 if goes else 1)


def test_without_a_terminal_nobody_is_asked(person: Person) -> None:
    assert person.run.process("logout").code == 0
    assert not person.zuliprc.exists()


def test_what_other_programs_have_in_the_file_stays(person: Person) -> None:
    person.zuliprc.write_text(f"# mine\n{person.zuliprc.read_text()}[zterm]\ntheme=dark\n")

    done = person.run("logout", "--yes")

    assert done.out == f"{person.zuliprc} no longer has credentials\n"
    assert person.zuliprc.read_text() == "# mine\n[api]\n[zterm]\ntheme=dark\n"


def test_behind_a_link_the_file_goes_and_the_link_too(person: Person) -> None:
    real = person.run.home / "real"
    person.zuliprc.rename(real)
    person.zuliprc.symlink_to(real)

    person.run("logout", "--yes")

    assert list(person.run.home.iterdir()) == []


def test_where_there_is_no_file_it_is_said(keybearer: CommandLine) -> None:
    done = keybearer("logout", "--yes")

    assert done.code == 1
    assert "There is no zuliprc" in done.complaint


def test_what_an_interrupted_replacement_has_left_goes_too(person: Person) -> None:
    left = person.zuliprc.with_name(".zuliprc.new")
    left.write_text(person.zuliprc.read_text())

    assert person.run("logout", "--yes").code == 0
    assert list(person.run.home.iterdir()) == []


def test_a_key_that_is_refused_already_has_ended_and_the_file_goes(town: Town, person: Person) -> None:
    copy = town.server.write_zuliprc(person.run.home / "copy", person.email)
    assert person.run("regenerate", "--yes", "-c", str(copy)).code == 0

    done = person.run("logout", "--yes", "--regenerate")

    assert done.code == 0
    assert "already refuses the key" in done.complaint
    assert not person.zuliprc.exists()


def test_where_the_key_is_not_ended_it_is_said_that_the_file_stays(person: Person) -> None:
    text = person.zuliprc.read_text()
    person.zuliprc.write_text(f"{text[: text.index('site=')]}site=http://localhost:1\n")

    assert f"{person.zuliprc} was not changed" in person.run("logout", "--yes", "--regenerate").complaint
