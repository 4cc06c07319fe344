"""`keybearer regenerate`: ends the old key and stores the new one."""

from __future__ import annotations

import json
import stat

import pytest

from tests.cli.command_line import CommandLine
from tests.cli.served import Person, Town
from tests.client.scripted_server import ScriptedServer


def test_the_new_key_replaces_the_old_one_in_the_file(town: Town, person: Person) -> None:
    before = f"# mine\n{person.zuliprc.read_text()}"
    old = town.server.api_key_of(person.email)
    person.zuliprc.write_text(before)

    done = person.run.process("regenerate")

    new = town.server.api_key_of(person.email)
    assert (done.code, done.err) == (0, "")
    assert new != old
    assert person.zuliprc.read_text() == before.replace(old, new)
    assert new not in done.out
    assert person.email in person.run("whoami").out


def test_the_old_key_is_refused_at_once(town: Town, person: Person) -> None:
    copy = town.server.write_zuliprc(person.run.home / "copy", person.email)

    person.run("regenerate")

    assert "Invalid API key" in person.run("whoami", "-c", str(copy)).complaint


@pytest.mark.parametrize("variable", ["ZULIP_EMAIL", "ZULIP_API_KEY", "ZULIP_SITE"])
def test_no_request_is_sent_if_the_file_is_incomplete(variable: str, person: Person, scripted: ScriptedServer) -> None:
    value = {"ZULIP_SITE": scripted.site, "ZULIP_EMAIL": person.email}.get(variable, "x" * 32)
    text = person.zuliprc.read_text()
    person.zuliprc.write_text(text[: text.index("site=")] + f"site={scripted.site}\n")

    done = person.run("regenerate", **{variable: value})

    assert done.code == 1
    assert "No new API key was requested" in done.err
    assert scripted.seen == []


def test_a_file_that_cannot_be_replaced_keeps_its_key(person: Person, scripted: ScriptedServer) -> None:
    text = person.zuliprc.read_text()
    person.zuliprc.write_text(text[: text.index("site=")] + f"site={scripted.site}\n")
    person.zuliprc.with_name(".zuliprc.new").mkdir()

    done = person.run("regenerate")

    assert done.code == 1
    assert scripted.seen == []


@pytest.mark.parametrize(("answer", "goes"), [("y", True), ("n", False)])
def test_the_command_asks_for_confirmation(town: Town, person: Person, answer: str, goes: bool) -> None:
    old = town.server.api_key_of(person.email)

    done = person.run.on_terminal("regenerate", answers={"Issue a new one? [y/N]": answer})

    assert done.code == (0 if goes else 1)
    assert (town.server.api_key_of(person.email) != old) is goes


def test_the_named_keys_that_end_are_listed_first(town: Town, person: Person, bot: str) -> None:
    for options in (["--name", "backup"], ["--name", "deploy", "--bot", bot]):
        assert person.run("key", "add", "--output", str(person.run.home / "rc"), "--yes", *options).code == 0

    refused = person.run.on_terminal("regenerate", answers={"Issue a new one? [y/N]": "n"})
    assert (refused.code, '"backup", last used: never' in refused.out) == (1, True)
    assert '"deploy" of the user ' in refused.out
    of_bot = person.run("regenerate", "--bot", bot, "--output", str(person.run.home / "rc"), "--yes")
    assert (of_bot.code, "deploy" in of_bot.err, "backup" in of_bot.err) == (0, True, False)
    done = person.run("regenerate", "--yes")

    assert done.code == 0
    assert "These keys end with the API key:" in done.err
    assert '"backup", last used: never' in done.err
    assert [key["name"] for key in json.loads(person.run("key", "list", "--json").out)] == [""]


def test_replacing_a_named_key_ends_no_other_key(person: Person) -> None:
    scriptrc = person.run.home / "scriptrc"
    for options in (["--output", str(scriptrc)], ["--output", str(person.run.home / "other")]):
        assert person.run("key", "add", "--name", "backup", *options).code == 0

    done = person.run("regenerate", "--yes", "-c", str(scriptrc))

    assert (done.code, done.err) == (0, "")
    assert person.run("whoami", "-c", str(person.run.home / "other")).code == 0


def test_json_has_the_path_of_the_key_and_not_its_text(town: Town, person: Person) -> None:
    done = person.run("regenerate", "--json")

    assert json.loads(done.out) == {"email": person.email, "site": town.site, "file": str(person.zuliprc)}


@pytest.fixture
def bot(person: Person) -> str:
    """The email of one of the person's bots."""
    made = json.loads(
        person.run("bot", "add", "--name", person.name + " bot", "--short-name", person.name, "--json").out
    )
    email: str = made["email"]
    return email


def test_a_bots_new_key_is_written_to_its_own_file(town: Town, person: Person, bot: str) -> None:
    output, own = person.run.home / "botrc", person.zuliprc.read_bytes()
    old = town.server.api_key_of(bot)

    done = person.run("regenerate", "--bot", bot, "--output", str(output))

    new = town.server.api_key_of(bot)
    assert done.code == 0, done.err
    assert new != old
    assert output.read_text() == f"[api]\nemail={bot}\nkey={new}\nsite={town.site}\n"
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert person.zuliprc.read_bytes() == own
    assert new not in done.out


def test_a_bots_new_zuliprc_can_be_printed(town: Town, person: Person, bot: str) -> None:
    done = person.run("regenerate", "--bot", bot, "--output", "-")

    assert done.out == f"[api]\nemail={bot}\nkey={town.server.api_key_of(bot)}\nsite={town.site}\n"


@pytest.mark.parametrize("arguments", [["--bot", "x@y.z"], ["--output", "f"]], ids=["no output", "no bot"])
def test_bot_and_output_must_be_used_together(keybearer: CommandLine, arguments: list[str]) -> None:
    assert keybearer("regenerate", *arguments).code == 2


@pytest.mark.parametrize("kind", ["somebody's zuliprc", "a directory", "a directory that is a file"])
def test_a_bot_keeps_its_key_if_the_new_one_cannot_be_stored(town: Town, person: Person, bot: str, kind: str) -> None:
    output = person.run.home / "output"
    match kind:
        case "somebody's zuliprc":
            output = person.zuliprc
        case "a directory":
            output.mkdir()
        case _:
            output.write_text("")
            output = output / "botrc"
    old = town.server.api_key_of(bot)

    done = person.run("regenerate", "--bot", bot, "--output", str(output))

    assert done.code == 1
    assert town.server.api_key_of(bot) == old


def test_another_persons_bot_cannot_be_regenerated(town: Town, person: Person, bot: str) -> None:
    other = town.person()
    old = town.server.api_key_of(bot)

    done = other.run("regenerate", "--bot", bot, "--output", str(other.run.home / "botrc"))

    assert done.code == 1
    assert town.server.api_key_of(bot) == old
    assert not (other.run.home / "botrc").exists()


def test_a_person_is_not_a_bot(town: Town, person: Person) -> None:
    done = person.run("regenerate", "--bot", person.email, "--output", "-")

    assert done.code == 1
    assert "is a person, not a bot" in done.complaint
