"""`keybearer whoami`: shows the account and the key."""

from __future__ import annotations

import json

import pytest

from tests.cli.served import Person, Town
from tests.client.scripted_server import ScriptedServer, success


def test_whoami_shows_the_account_of_the_file(town: Town, person: Person) -> None:
    done = person.run.process("whoami")

    assert (done.code, done.err) == (0, "")
    assert done.out == f"{person.name} <{person.email}>, member at {town.site}\n"


def test_json_has_the_same_content(town: Town, person: Person) -> None:
    said = json.loads(person.run("whoami", "--json").out)

    assert (said["email"], said["kind"], said["is_bot"], said["site"]) == (person.email, "member", False, town.site)
    assert isinstance(said["user_id"], int)


@pytest.mark.parametrize("option", ["--config-file", "--config", "-c"])
def test_whoami_reads_the_named_file(town: Town, person: Person, option: str) -> None:
    stranger = town.stranger()

    assert person.email in stranger("whoami", option, str(person.zuliprc)).out


def test_whoami_reads_variables_instead_of_a_file(town: Town, person: Person) -> None:
    variables = {
        "ZULIP_EMAIL": person.email,
        "ZULIP_API_KEY": town.server.api_key_of(person.email),
        "ZULIP_SITE": town.site,
    }

    assert person.email in town.stranger()("whoami", **variables).out


def test_a_key_on_the_command_line_causes_a_warning(town: Town, person: Person) -> None:
    key = town.server.api_key_of(person.email)
    done = town.stranger()("whoami", "--user", person.email, "--api-key", key, "--site", town.site)

    assert done.code == 0
    assert "list of processes" in done.complaint
    assert key not in done.out + done.err


def test_a_refused_key_is_reported_with_a_remedy(person: Person) -> None:
    text = person.zuliprc.read_text()
    person.zuliprc.write_text(text.replace("key=kb", "key=kc"))

    done = person.run("whoami")

    assert (done.code, done.out) == (1, "")
    assert "Invalid API key" in done.complaint
    assert "keybearer login" in done.complaint
    assert person.email in done.complaint


def test_an_unreachable_server_is_reported(person: Person) -> None:
    done = person.run("whoami", "--site", "http://localhost:1")

    assert done.code == 1
    assert "No connection to http://localhost:1" in done.err


@pytest.mark.parametrize("key", ["of Keybearer's", "of Zulip's"])
def test_whoami_makes_one_request_and_one_more_for_a_keybearer_key(
    person: Person, scripted: ScriptedServer, key: str
) -> None:
    other = {} if key == "of Keybearer's" else {"ZULIP_API_KEY": "x" * 32}
    done = person.run("whoami", "--site", scripted.site, **other)

    assert done.code == 0, done.err
    asked = [("GET", "/api/v1/users/me")] + [("GET", "/api/v1/users/me/api_keys/current")] * (not other)
    assert [(one.method, one.path) for one in scripted.seen] == asked


def test_a_name_cannot_control_the_terminal(person: Person, scripted: ScriptedServer) -> None:
    scripted.otherwise = success(user_id=7, email=person.email, full_name="P\x1b[2J\nx")

    done = person.run("whoami", "--site", scripted.site)

    assert done.out.count("\n") == 1
    assert "\x1b" not in done.out
