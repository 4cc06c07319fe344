"""`keybearer bot`: the whole life of a bot."""

from __future__ import annotations

import json
import re
import stat
from typing import Any

import certifi
import pytest

import keybearer
from tests.cli.command_line import CommandLine
from tests.cli.served import Person, Town


@pytest.fixture
def bot(person: Person) -> dict[str, Any]:
    """One of the person's bots, as `bot add --json` prints it."""
    done = person.run("bot", "add", "--name", f"{person.name} Helper", "--short-name", person.name, "--json")
    assert done.code == 0, done.err
    made: dict[str, Any] = json.loads(done.out)
    return made


@pytest.fixture(params=["id", "email"])
def reference(request: pytest.FixtureRequest, bot: dict[str, Any]) -> str:
    """The ID or the email of the bot, for the command line."""
    return str(bot["user_id"] if request.param == "id" else bot["email"])


def test_a_new_bot_is_reported_with_its_email_and_the_command_for_its_zuliprc(town: Town, person: Person) -> None:
    done = person.run.process("bot", "add", "--name", f"{person.name} Helper", "--short-name", person.name)

    (listed,) = json.loads(person.run("bot", "list", "--json").out)
    assert done.code == 0
    assert done.out == f"{person.name} Helper <{listed['email']}>, generic bot, id {listed['user_id']}\n"
    assert f"keybearer bot zuliprc {listed['user_id']}" in done.complaint
    assert town.server.api_key_of(listed["email"]) not in done.out + done.err


def test_a_new_bots_zuliprc_can_be_written_at_once(person: Person) -> None:
    output = person.run.home / "botrc"

    person.run("bot", "add", "--name", f"{person.name} B", "--short-name", person.name, "--output", str(output))

    assert f"{person.name} B" in person.run("whoami", "-c", str(output)).out


@pytest.mark.parametrize("place", ["another account's file", "a directory"])
def test_no_bot_is_created_if_its_zuliprc_cannot_be_written(person: Person, place: str) -> None:
    output = person.zuliprc if place == "another account's file" else person.run.home
    before = person.zuliprc.read_bytes()

    done = person.run("bot", "add", "--name", f"{person.name} B", "--short-name", person.name, "--output", str(output))

    assert (done.code, done.out) == (1, "")
    assert str(output) in done.complaint
    assert person.zuliprc.read_bytes() == before
    assert json.loads(person.run("bot", "list", "--json").out) == []


@pytest.mark.parametrize("kind", ["incoming-webhook", "outgoing-webhook"])
def test_a_bot_can_be_of_another_type(person: Person, kind: str) -> None:
    url = ["--payload-url", "http://127.0.0.1:1/"] if kind == "outgoing-webhook" else []

    done = person.run(
        "bot", "add", "--name", f"{person.name} B", "--short-name", person.name, "--type", kind, *url, "--json"
    )

    assert json.loads(done.out)["kind"] == f"{kind} bot"


@pytest.mark.parametrize(
    "arguments",
    [["--name", "B"], ["--short-name", "b"], ["--name", "B", "--short-name", "b", "--type", "outgoing-webhook"]],
    ids=["no short name", "no name", "no address"],
)
def test_an_incomplete_bot_is_wrong_usage(keybearer: CommandLine, arguments: list[str]) -> None:
    assert keybearer("bot", "add", *arguments).code == 2


def test_a_refusal_by_the_server_is_reported(person: Person, bot: dict[str, Any]) -> None:
    done = person.run("bot", "add", "--name", f"{person.name} Other", "--short-name", person.name)

    assert done.code == 1
    assert "Email is already in use" in done.complaint


def test_the_list_has_the_callers_bots_and_marks_deactivated_ones(
    town: Town, person: Person, bot: dict[str, Any]
) -> None:
    other = town.person()
    other.run("bot", "add", "--name", f"{other.name} B", "--short-name", other.name)
    person.run("bot", "deactivate", bot["email"])

    done = person.run.process("bot", "list")

    row = [str(bot["user_id"]), bot["full_name"], bot["email"], "generic", "deactivated"]
    assert [line.split("\t") for line in done.out.splitlines()] == [["id", "name", "email", "type", "state"], row]


def test_on_a_terminal_the_list_is_a_table(person: Person, bot: dict[str, Any]) -> None:
    done = person.run.on_terminal("bot", "list", COLUMNS="120")

    assert "──" in done.out
    assert bot["email"] in done.out


def test_without_bots_the_list_says_how_to_create_one(person: Person) -> None:
    assert "keybearer bot add" in person.run("bot", "list").complaint


def test_a_bot_is_shown_without_its_key(town: Town, person: Person, bot: dict[str, Any], reference: str) -> None:
    done = person.run("bot", "show", reference)

    assert bot["email"] in done.out
    assert town.server.api_key_of(bot["email"]) not in done.out
    assert json.loads(person.run("bot", "show", reference, "--json").out)["user_id"] == bot["user_id"]


def test_the_zuliprc_is_printed_byte_for_byte(town: Town, person: Person, bot: dict[str, Any], reference: str) -> None:
    done = person.run.process("bot", "zuliprc", reference)

    key = town.server.api_key_of(bot["email"])
    assert (done.code, done.err) == (0, "")
    assert done.out == f"[api]\nemail={bot['email']}\nkey={key}\nsite={town.site}\n"


def test_the_zuliprc_is_written_to_a_private_file(town: Town, person: Person, bot: dict[str, Any]) -> None:
    output = person.run.home / "botrc"

    done = person.run("bot", "zuliprc", bot["email"], "--output", str(output))

    assert done.out == f"{output}: {bot['email']} at {town.site}\n"
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert bot["full_name"] in person.run("whoami", "-c", str(output)).out


def test_only_tls_settings_of_ones_own_are_mentioned(person: Person, bot: dict[str, Any]) -> None:
    command = ("bot", "zuliprc", bot["email"], "--output", str(person.run.home / "botrc"), "--yes")
    assert "TLS settings" not in person.run(*command, REQUESTS_CA_BUNDLE=certifi.where()).err
    assert "TLS settings" in person.run(*command, ZULIP_CERT_BUNDLE=certifi.where()).err


def test_ones_own_zuliprc_is_not_replaced_by_a_bots(person: Person, bot: dict[str, Any]) -> None:
    before = person.zuliprc.read_bytes()

    done = person.run("bot", "zuliprc", bot["email"], "--output", str(person.zuliprc))

    assert done.code == 1
    assert person.zuliprc.read_bytes() == before


def test_a_deactivated_bot_is_refused_until_it_is_reactivated(
    person: Person, bot: dict[str, Any], reference: str
) -> None:
    botrc = str(person.run.home / "botrc")
    person.run("bot", "zuliprc", reference, "--output", botrc)

    assert person.run("bot", "deactivate", reference).out.endswith("is deactivated\n")
    assert "deactivated" in person.run("whoami", "-c", botrc).err

    assert person.run("bot", "reactivate", reference).out.endswith("is active again\n")
    person.run("bot", "zuliprc", reference, "--output", botrc)
    assert person.run("whoami", "-c", botrc).code == 0


@pytest.mark.parametrize(("answer", "active"), [("y", False), ("n", True)])
def test_a_person_is_asked_before_a_bot_is_deactivated(
    person: Person, bot: dict[str, Any], answer: str, active: bool
) -> None:
    done = person.run.on_terminal("bot", "deactivate", bot["email"], answers={"? [y/N]": answer})

    assert done.code == (1 if active else 0)
    assert json.loads(person.run("bot", "show", bot["email"], "--json").out)["is_active"] is active


@pytest.mark.parametrize("command", ["show", "zuliprc", "deactivate", "reactivate"])
def test_bot_commands_refuse_a_person(person: Person, command: str) -> None:
    done = person.run("bot", command, person.email)

    assert done.code == 1
    assert "is a person, not a bot" in done.complaint


def test_an_unknown_bot_is_reported(person: Person) -> None:
    assert "No such user" in person.run("bot", "show", "999999").complaint
    assert "No such user" in person.run("bot", "show", "nobody@example.com").complaint


def test_the_zuliprc_of_an_outgoing_webhook_bot_has_its_token(person: Person) -> None:
    short_name = person.name
    done = person.run(
        "bot", "add", "--name", f"{person.name} Hook", "--short-name", short_name, "--type", "outgoing-webhook",
        "--payload-url", "http://127.0.0.1:1/", "--json",
    )  # fmt: skip

    zuliprc = person.run("bot", "zuliprc", str(json.loads(done.out)["user_id"])).out

    assert re.search(r"^token=[A-Za-z0-9]{32}$", zuliprc, re.MULTILINE)


def test_json_cannot_be_combined_with_a_zuliprc_on_standard_output(person: Person, reference: str) -> None:
    for command in (["add", "--name", "x", "--short-name", "x", "--output", "-"], ["zuliprc", reference]):
        done = person.run("bot", *command, "--json")
        assert (done.code, done.out) == (2, "")


def test_a_written_zuliprc_is_reported_as_json(person: Person, reference: str) -> None:
    output = person.run.home / "botrc"
    told = json.loads(person.run("bot", "zuliprc", reference, "--output", str(output), "--json").out)

    assert told["file"] == str(output)
    assert told["email"] in output.read_text()


def test_bots_are_listed_by_id(person: Person) -> None:
    for number in (3, 1, 2):
        name = f"{person.name} {number}"
        assert person.run("bot", "add", "--name", name, "--short-name", f"{person.name}{number}").code == 0
    listed = json.loads(person.run("bot", "list", "--json").out)

    assert [one["user_id"] for one in listed] == sorted(one["user_id"] for one in listed)


def test_a_bot_with_a_revoked_key_is_shown_as_such_and_can_get_a_new_one(person: Person, bot: dict[str, Any]) -> None:
    number, output = str(bot["user_id"]), person.run.home / "botrc"
    person.run("bot", "zuliprc", number, "--output", str(output))
    key = output.read_text().split("key=")[1].split()[0]
    with keybearer.Client(config_file=person.zuliprc) as client:
        client.revoke_found_api_key(key)

    assert "generate a new one at" in person.run("bot", "zuliprc", number).complaint
    shown = person.run("bot", "show", number)
    assert "active, without an API key" in shown.out
    assert f"keybearer regenerate --bot {number} --output FILE" in shown.err
    person.run("regenerate", "--bot", number, "--output", str(output), "--yes")
    assert "without an API key" not in person.run("bot", "show", number).out


def test_the_error_for_a_deactivated_bot_names_the_command_that_reactivates_it(
    person: Person, bot: dict[str, Any], reference: str
) -> None:
    output = person.run.home / "botrc"
    person.run("bot", "zuliprc", reference, "--output", str(output))
    person.run("bot", "deactivate", reference, "--yes")

    assert "keybearer bot reactivate" in person.run("whoami", "-c", str(output)).complaint
