"""A new key reaches the caller, or the command says what became of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from keybearer import api_key
from tests.cli.command_line import SCRIPT, CommandLine
from tests.cli.served import Person
from tests.cli.test_main import react_to_interrupts
from tests.cli.test_streams import in_shell
from tests.client.scripted_server import EMAIL, KEY, NEWER_KEY, PROFILE, Reply, ScriptedServer, Seen, error, success

BOT = {**PROFILE, "user_id": 9, "email": "bot@example.com", "is_bot": True, "bot_type": 3, "is_active": True}

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


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (">/dev/full", "Standard output cannot be written: No space left on device"),
        ("| true", "Standard output cannot be written: Broken pipe"),
        ("--output /proc/x/y", "/proc/x/y cannot be written"),
    ],
)
def test_a_new_key_that_nobody_gets_is_revoked_again(person: Person, end: str, said: str) -> None:
    done = in_shell(person.run, f'"$K" key add --name lost {end}')

    assert said in done.complaint
    assert done.complaint.endswith("The new key was revoked again")
    assert [one["name"] for one in listed(person.run)] == [""]


def test_no_key_is_created_if_standard_output_is_closed(person: Person) -> None:
    done = in_shell(person.run, '"$K" key add --name lost >&-')

    assert (done.code, done.complaint) == (1, CLOSED)
    assert [one["name"] for one in listed(person.run)] == [""]


@pytest.fixture
def somebody(keybearer: CommandLine, scripted: ScriptedServer) -> CommandLine:
    """A person whose server creates the key 5, and revokes no key."""
    zuliprc = keybearer.home / ".zuliprc"
    zuliprc.write_text(f"[api]\nemail={EMAIL}\nkey={KEY}\nsite={scripted.site}\n")
    zuliprc.chmod(0o600)

    def answer(seen: Seen) -> Reply:
        match seen.method, seen.path.rpartition("/v1/")[2]:
            case "GET", "users/9":
                return success(user=BOT)
            case "POST", "users/me/api_keys" | "bots/9/api_keys":
                return success(id=5, api_key=NEWER_KEY)
            case _:
                return error(400, "Not today")

    scripted.otherwise = answer
    return keybearer


def test_a_new_key_that_cannot_be_revoked_is_named(somebody: CommandLine) -> None:
    done = in_shell(somebody, '"$K" key add --name lost >/dev/full')

    assert done.code == 1
    assert "Key 5 works, and nobody has it: `keybearer key revoke 5` ends it (Not today" in done.complaint


def test_a_bots_new_key_is_revoked_if_the_server_refuses_its_token(
    somebody: CommandLine, scripted: ScriptedServer
) -> None:
    done = somebody("key", "add", "--name", "lost", "--bot", "9")

    assert (done.code, done.out) == (1, "")
    assert done.complaint.startswith("keybearer: Not today")
    assert "`keybearer key revoke 5 --bot 9` ends it" in done.complaint
    assert scripted.seen[-1].method == "DELETE"


def test_a_new_key_is_revoked_if_ctrl_c_comes_before_it_is_printed(
    somebody: CommandLine, scripted: ScriptedServer
) -> None:
    over, asked, answer = threading.Event(), threading.Event(), scripted.otherwise
    assert callable(answer)

    def wait_for_token(seen: Seen) -> Reply:
        if seen.path.endswith("/register"):
            asked.set()
            over.wait(30)
        return success() if seen.method == "DELETE" else answer(seen)

    scripted.otherwise = wait_for_token
    process = subprocess.Popen(
        [SCRIPT, "key", "add", "--name", "lost", "--bot", "9"],
        env={"PATH": os.environ["PATH"], "HOME": str(somebody.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=react_to_interrupts,  # noqa: PLW1509 - nothing but the handler is set, and no lock is taken
    )
    assert asked.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    over.set()

    assert (process.returncode, out) == (130, b"")
    assert [line for line in err.decode().splitlines() if line] == [
        "The new key was revoked again.",
        "keybearer: Stopped",
    ]
    assert [seen.path.rpartition("/v1/")[2] for seen in scripted.seen if seen.method == "DELETE"] == [
        "bots/9/api_keys/5"
    ]
