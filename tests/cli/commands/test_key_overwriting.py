"""`keybearer key` does not overwrite or end a key without a question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.cli.served import Person


def add(run: CommandLine, path: Path, *options: str) -> int:
    """The ID of a new named key with its zuliprc at `path`."""
    done = run("key", "add", "--name", "once", "--output", str(path), "--json", *options)
    assert done.code == 0, done.err
    made: int = json.loads(done.out)["id"]
    return made


def names(run: CommandLine) -> list[str]:
    return [one["name"] for one in json.loads(run("key", "list", "--json").out)]


def works(run: CommandLine, path: Path) -> bool:
    return run("whoami", "-c", str(path)).code == 0


@pytest.fixture
def rc(person: Person) -> Path:
    return person.run.home / "rc"


@pytest.mark.parametrize("kind", ["a named key", "the account key", "a command"])
def test_a_new_key_does_not_replace_another_one_of_the_account_without_a_question(
    person: Person, rc: Path, kind: str
) -> None:
    run = person.run
    match kind:
        case "a named key":
            add(run, rc)
        case "the account key":
            rc.write_bytes(person.zuliprc.read_bytes())
        case _:
            lines = person.zuliprc.read_text().splitlines()
            lines = [f"passcmd=touch {run.home}/ran" if line.startswith("key=") else line for line in lines]
            rc.write_text("\n".join(lines))
    rc.chmod(0o600)
    before, known = rc.read_bytes(), names(run)

    refused = run("key", "add", "--name", "twice", "--output", str(rc))

    assert (refused.code, rc.read_bytes(), names(run)) == (1, before, known)
    assert f"{rc} has another API key of {person.email}" in refused.complaint
    assert "Give --yes, or another --output" in refused.complaint
    assert not (run.home / "ran").exists()
    assert run("key", "add", "--name", "twice", "--output", str(rc), "--yes").code == 0
    assert works(run, rc)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_a_person_is_asked(person: Person, rc: Path, answer: str, code: int) -> None:
    add(person.run, rc)
    before = rc.read_bytes()
    done = person.run.on_terminal(
        "key", "add", "--name", "twice", "--output", str(rc), answers={"Replace it? [y/N]": answer}
    )

    assert (done.code, rc.read_bytes() == before) == (code, code == 1)


def test_a_key_that_has_ended_is_replaced_without_a_question(person: Person, rc: Path) -> None:
    assert person.run("key", "revoke", str(add(person.run, rc))).code == 0
    add(person.run, rc)

    assert works(person.run, rc)


@pytest.mark.parametrize("options", [(), ("--overlap", "1h")], ids=" ".join)
def test_a_successor_replaces_the_old_key_in_its_file_without_a_question(
    person: Person, rc: Path, options: tuple[str, ...]
) -> None:
    old = add(person.run, rc)
    before = rc.read_bytes()
    done = person.run("key", "regenerate", str(old), "--output", str(rc), *options)

    assert done.code == 0, done.err
    assert rc.read_bytes() != before
    assert works(person.run, rc)


def test_a_bots_successor_replaces_the_old_key_in_its_file_without_a_question(person: Person, rc: Path) -> None:
    made = json.loads(person.run("bot", "add", "--name", f"{person.name} B", "--short-name", person.name, "--json").out)
    of_bot = ("--bot", str(made["user_id"]))
    done = person.run("key", "regenerate", str(add(person.run, rc, *of_bot)), "--output", str(rc), *of_bot)

    assert done.code == 0, done.err
    assert works(person.run, rc)
    assert person.run("key", "add", "--name", "twice", "--output", str(rc), *of_bot).code == 1


def test_a_successor_does_not_replace_another_key(person: Person, rc: Path) -> None:
    old, other = add(person.run, rc), person.run.home / "other"
    add(person.run, other)
    done = person.run("key", "regenerate", str(old), "--output", str(other))

    assert done.code == 1
    assert f"{other} has another API key" in done.complaint
    assert works(person.run, rc)
    assert works(person.run, other)


@pytest.mark.parametrize("output", ["", "-", "elsewhere"])
def test_the_key_in_force_is_not_replaced_outside_of_its_file(person: Person, rc: Path, output: str) -> None:
    own = add(person.run, rc, "--scope", "read,keys")
    place = {"": [], "-": ["--output", "-"], "elsewhere": ["--output", str(person.run.home / "new")]}[output]
    done = person.run("key", "regenerate", str(own), "--yes", "-c", str(rc), *place)

    assert (done.code, done.out) == (1, "")
    assert done.complaint.endswith(f"Replace it there: `keybearer regenerate -c {rc}`")
    assert works(person.run, rc)


@pytest.mark.parametrize("name", ["rc", "link"])
def test_the_key_in_force_is_replaced_in_its_file(person: Person, rc: Path, name: str) -> None:
    own = add(person.run, rc, "--scope", "read,keys")
    before = rc.read_bytes()
    (person.run.home / "link").symlink_to(rc)
    done = person.run("key", "regenerate", str(own), "-c", str(rc), "--output", str(person.run.home / name))

    assert done.code == 0, done.err
    assert rc.read_bytes() != before
    assert works(person.run, rc)


def test_the_key_in_force_can_be_replaced_if_it_is_in_no_file(person: Person, rc: Path) -> None:
    own = add(person.run, rc, "--scope", "read,keys")
    key = rc.read_text().partition("key=")[2].splitlines()[0]
    done = person.run("key", "regenerate", str(own), ZULIP_API_KEY=key)

    assert done.code == 0, done.err
    rc.write_text(done.out)
    assert works(person.run, rc)
