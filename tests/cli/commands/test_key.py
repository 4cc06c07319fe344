"""`keybearer key`: the whole life of a named key."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

import keybearer
from keybearer import api_key
from keybearer.errors import APIError
from tests.cli.command_line import CommandLine
from tests.cli.served import Person, Town


def add(run: CommandLine, path: Path, *options: str) -> dict[str, Any]:
    """A new named key with its zuliprc at `path`, as `key add --json` prints it."""
    done = run("key", "add", "--output", str(path), "--json", *options)
    assert done.code == 0, done.err
    made: dict[str, Any] = json.loads(done.out)
    return made


def listed(run: CommandLine, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("key", "list", "--json", *options).out)
    return found


@pytest.fixture
def script(person: Person) -> dict[str, Any]:
    return add(person.run, person.run.home / "scriptrc", "--name", "backup script")


def test_a_new_key_is_printed_as_a_zuliprc_and_works(person: Person, tmp_path: Path) -> None:
    done = person.run("key", "add", "--name", "ci", "--scope", "read", "--expires", "90d", "--network", "127.0.0.0/8")

    assert done.code == 0, done.err
    (tmp_path / "rc").write_text(done.out)
    (tmp_path / "rc").chmod(0o600)
    said = person.run("whoami", "-c", str(tmp_path / "rc")).out.splitlines()
    assert said[0].startswith(f"{person.name} <{person.email}>")
    assert said[1].startswith('named key "ci" (read), from 127.0.0.0/8, ends ')


def test_a_new_key_is_written_only_to_the_file_or_profile(person: Person, script: dict[str, Any]) -> None:
    written = Path(script["file"])
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    done = person.run("key", "add", "--name", "ci", "--profile", "ci", "--scope", "read,send")
    assert done.code == 0, done.err
    assert api_key.find(done.out + done.err) == []
    said = json.loads(person.run("whoami", "--profile", "ci", "--json").out)
    assert (said["key"]["name"], said["key"]["scopes"], said["key"]["is_account_key"]) == (
        "ci",
        ["read", "send"],
        False,
    )


def test_keys_are_listed_and_shown_without_their_texts(town: Town, person: Person, script: dict[str, Any]) -> None:
    done = person.run("key", "list")
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert [line[1] for line in lines] == ["name", "(account key)", "backup script"]
    assert lines[2][:4] == [str(script["id"]), "backup script", "read,send", "never"]
    shown = person.run("key", "show", str(script["id"]))
    assert "backup script" in shown.out
    assert api_key.find(done.out + shown.out) == []
    assert person.run("key", "show", "999999").code == 1


def test_a_bot_can_have_named_keys(person: Person) -> None:
    made = json.loads(person.run("bot", "add", "--name", f"{person.name} B", "--short-name", person.name, "--json").out)
    key = add(person.run, person.run.home / "botrc", "--name", "deploy", "--bot", made["email"])
    assert key["email"] == made["email"]
    assert [one["name"] for one in listed(person.run, "--bot", str(made["user_id"]))] == ["", "deploy"]
    assert f"{person.name} B" in person.run("whoami", "-c", key["file"]).out


def test_a_key_is_replaced_with_an_overlap_and_revoked(person: Person, script: dict[str, Any]) -> None:
    new = person.run.home / "newrc"
    done = person.run("key", "regenerate", str(script["id"]), "--overlap", "1h", "--output", str(new))
    assert done.code == 0, done.err
    assert [person.run("whoami", "-c", str(path)).code for path in (script["file"], new)] == [0, 0]
    (successor,) = [
        one["id"] for one in listed(person.run) if one["name"] == "backup script" and not one["replaced_by"]
    ]
    assert person.run("key", "revoke", str(successor)).code == 0
    assert [person.run("whoami", "-c", str(path)).code for path in (script["file"], new)] == [1, 1]


def test_regenerate_writes_the_new_named_key_into_its_own_file(person: Person, script: dict[str, Any]) -> None:
    path = Path(script["file"])
    before = path.read_text()
    done = person.run("regenerate", "-c", str(path))
    assert done.code == 0, done.err
    assert path.read_text() != before
    said = json.loads(person.run("whoami", "-c", str(path), "--json").out)
    assert said["key"]["name"] == "backup script"
    assert person.run("whoami").code == 0  # the account key is unchanged


def test_a_call_beyond_the_scopes_says_what_to_do(person: Person, script: dict[str, Any]) -> None:
    done = person.run("key", "list", "-c", script["file"])
    assert done.code == 1
    assert "lacks the scope keys" in done.complaint
    assert "keybearer key add --scope" in done.complaint


@pytest.mark.parametrize(
    "wrong",
    [
        ("--scope", "everything"),
        ("--expires", "soon"),
        ("--expires", "2020-01-01"),
        ("--output", "rc", "--profile", "p"),
        ("--json",),
        ("--json", "--output", "-"),
    ],
    ids=" ".join,
)
def test_invalid_options_are_wrong_usage_and_create_no_key(person: Person, wrong: tuple[str, ...]) -> None:
    done = person.run("key", "add", "--name", "odd", *wrong)
    assert (done.code, done.out) == (2, "")
    assert [one["name"] for one in listed(person.run)] == [""]


def test_no_key_is_created_that_cannot_be_stored(person: Person) -> None:
    done = person.run("key", "add", "--name", "lost", "--output", str(person.run.home))
    assert done.code == 1
    assert [one["name"] for one in listed(person.run)] == [""]


def test_found_keys_are_revoked_only_at_the_own_site_and_after_a_question(
    town: Town, person: Person, script: dict[str, Any], tmp_path: Path
) -> None:
    leaked = tmp_path / "leak.ini"
    leaked.write_text(Path(script["file"]).read_text().replace(town.site, "https://evil.example.com"))
    unasked = person.run("scan", str(leaked), "--revoke")
    assert unasked.code == 1
    assert "no terminal to ask on" in unasked.err
    assert person.run("whoami", "-c", script["file"]).code == 0
    done = person.run("scan", str(leaked), "--revoke", "--yes")
    assert (done.code, town.site in done.err) == (1, True)
    assert person.run("whoami", "-c", script["file"]).code == 1
    assert person.run("whoami").code == 0


def test_the_library_has_the_same_calls(person: Person) -> None:
    with keybearer.Client(config_file=person.zuliprc) as client:
        new = client.create_api_key("library", scopes=["read"], expires_in_days=7)
        assert [one.name for one in client.get_api_keys()] == ["", "library"]
        client.update_api_key(new.id, name="renamed", networks=["127.0.0.1"])
        newer = client.regenerate_named_api_key(new.id, overlap_seconds=60)
        by_named = keybearer.Credentials(person.email, newer.api_key, client.site)
        with keybearer.Client(by_named) as named:
            current = named.get_current_api_key()
            assert (current.name, current.scopes, current.networks) == ("renamed", ("read",), ("127.0.0.1/32",))
            assert named.regenerate_api_key() != newer.api_key
            with pytest.raises(APIError, match="lacks the scope"):
                named.get_api_keys()
        client.revoke_found_api_key(new.api_key)
