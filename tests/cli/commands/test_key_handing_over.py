"""A new key reaches the caller, or the command says what became of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from keybearer import api_key
from tests.cli.command_line import CommandLine
from tests.cli.served import Person
from tests.cli.test_streams import in_shell

CLOSED = "keybearer: Standard output is closed. Nothing was changed"


def listed(run: CommandLine, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("key", "list", "--json", *options).out)
    return found


def added(run: CommandLine, path: Path, *options: str) -> int:
    """The ID of a new named key with its zuliprc at `path`."""
    done = run("key", "add", "--output", str(path), "--json", *options)
    assert done.code == 0, done.err
    made: int = json.loads(done.out)["id"]
    return made


@pytest.fixture
def script(person: Person) -> int:
    return added(person.run, person.run.home / "scriptrc", "--name", "script")


@pytest.fixture
def bot(person: Person) -> int:
    made = json.loads(person.run("bot", "add", "--name", f"{person.name} B", "--short-name", person.name, "--json").out)
    number: int = made["user_id"]
    return number


def test_a_successor_that_cannot_be_printed_is_named_with_the_commands_for_it(person: Person, script: int) -> None:
    done = in_shell(person.run, f'"$K" key regenerate {script} >/dev/full')

    (new,) = [one["id"] for one in listed(person.run) if one["name"] == "script"]
    assert (done.code, new != script) == (1, True)
    assert f"Key {script} was replaced by key {new}, which nobody has now" in done.complaint
    assert f"`keybearer key revoke {new}`" in done.complaint
    again = re.findall("`keybearer (key regenerate [0-9]+)`", done.complaint)[0].split()
    assert api_key.find(person.run(*again).out) != []


def test_the_commands_for_a_lost_successor_name_the_bot(person: Person, bot: int) -> None:
    old = added(person.run, person.run.home / "botrc", "--name", "deploy", "--bot", str(bot))
    done = in_shell(person.run, f'"$K" key regenerate {old} --bot {bot} >/dev/full')

    (new,) = [one["id"] for one in listed(person.run, "--bot", str(bot)) if one["name"] == "deploy"]
    assert f"`keybearer key revoke {new} --bot {bot}`" in done.complaint


@pytest.mark.parametrize("command", ["key regenerate {script}", "regenerate", "regenerate --bot {bot} --output -"])
def test_no_key_is_replaced_if_standard_output_is_closed(person: Person, script: int, bot: int, command: str) -> None:
    done = in_shell(person.run, f'"$K" {command.format(script=script, bot=bot)} >&-')

    assert (done.code, done.complaint) == (1, CLOSED)
    assert script in [one["id"] for one in listed(person.run)]
    assert person.run("whoami", "-c", str(person.run.home / "scriptrc")).code == 0


@pytest.mark.parametrize("command", ["regenerate --bot {bot}", "bot add --name '{name} C' --short-name {name}c"])
def test_a_bots_key_that_cannot_be_printed_can_be_written_later(person: Person, bot: int, command: str) -> None:
    done = in_shell(person.run, f'"$K" {command.format(bot=bot, name=person.name)} --output - >/dev/full')

    assert done.code == 1
    later = re.findall("`keybearer (bot zuliprc [0-9]+) --output FILE`", done.complaint)[0].split()
    assert api_key.find(person.run(*later).out) != []


@pytest.mark.parametrize("options", ["", "--output -", "--output botrc"])
def test_no_bot_is_created_if_standard_output_is_closed(person: Person, options: str) -> None:
    done = in_shell(person.run, f'"$K" bot add --name "{person.name} C" --short-name {person.name} {options} >&-')

    assert (done.code, done.complaint) == (1, CLOSED)
    assert json.loads(person.run("bot", "list", "--json").out) == []
