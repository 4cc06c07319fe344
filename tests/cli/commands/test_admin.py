"""`keybearer init` and `keybearer admin`: the operator's commands on the data directory, without a server."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from keybearer.cli.commands.admin.command import admin
from keybearer.cli.commands.init import init
from keybearer.errors import KeybearerError, SecretRingError
from keybearer.secret import Secret
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.named_keys import NewKey
from keybearer.server.services import accounts, joining, named_keys, passwords, realms, sessions
from keybearer.server.services.context import Context
from keybearer.server.services.server_data import opened
from keybearer.server.services.sessions import SignedIn
from keybearer.server.settings import Settings
from keybearer.server.storage.secret_ring import SecretRing
from tests.in_process import SITE
from tests.server_process import KEYBEARER, clean_environ, run_keybearer

PASSWORD = "a sound passphrase 93"
OWNER = "olive@example.com"
INIT = {
    "--organization": "Example",
    "--site": SITE,
    "--owner-email": OWNER,
    "--owner-name": "Olive Owner",
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with an organization and its owner."""
    path = tmp_path / "data"
    assert run_init(path).exit_code == 0
    return path


def run_init(data_dir: Path, password: str = PASSWORD, **changed: str) -> Result:
    options = {**INIT, **{f"--{name.replace('_', '-')}": value for name, value in changed.items()}}
    arguments = [word for pair in options.items() for word in pair]
    return CliRunner().invoke(init, ["--data-dir", str(data_dir), *arguments, "--owner-password-stdin"], input=password)


def run_admin(data_dir: Path, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(admin, ["--data-dir", str(data_dir), *arguments], input=stdin)


def on_data(data_dir: Path, use_case: Callable[[Context], Any]) -> Any:
    async def run() -> Any:
        async with opened(Settings(data_dir=data_dir)) as context:
            return await use_case(context)

    return asyncio.run(run())


def told(result: Result) -> str:
    """The error that the command line would report in one line."""
    assert isinstance(result.exception, KeybearerError), result.output
    return str(result.exception)


def test_init_creates_a_private_directory_with_an_organization_and_its_owner(data_dir: Path) -> None:
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "secrets.json").stat().st_mode & 0o777 == 0o600
    realm = on_data(data_dir, realms.find)
    assert (realm.name, realm.site) == ("Example", SITE)
    signed_in = on_data(
        data_dir, lambda context: sessions.authenticate(context, OWNER, Secret(PASSWORD), RequestOrigin())
    )
    assert signed_in.account.is_owner


@pytest.mark.parametrize(
    ("changed", "password", "message"),
    [
        ({}, "weak", "New password is too weak!"),
        ({"owner_email": "nonsense"}, PASSWORD, "Enter a valid email address"),
        ({"owner_name": "x"}, PASSWORD, "Name too short!"),
        ({"organization": " "}, PASSWORD, "The organization's name needs 1 to 40"),
        ({"site": "not a site"}, PASSWORD, "The site"),
    ],
)
def test_a_refused_init_leaves_nothing_behind(
    tmp_path: Path, changed: dict[str, str], password: str, message: str
) -> None:
    result = run_init(tmp_path / "data", password, **changed)
    assert told(result).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_a_second_init_is_refused_and_changes_nothing(data_dir: Path) -> None:
    result = run_init(data_dir, owner_email="other@example.com", organization="Other")
    assert "already has its organization" in told(result)
    assert on_data(data_dir, realms.find).name == "Example"


def start_command(result: Result) -> str:
    """The command at the end of the output of `init`."""
    return result.stderr.rpartition("Start the server with: ")[2].strip()


def test_init_prints_the_command_that_starts_a_server_on_this_data(tmp_path: Path, empty_postgresql_url: str) -> None:
    plain, spaced = tmp_path / "plain", tmp_path / "with space"
    assert start_command(run_init(plain)) == f"keybearer serve --data-dir {plain}"
    result = run_init(spaced, database_url=empty_postgresql_url)
    words = shlex.split(start_command(result))
    assert words[:4] == ["keybearer", "serve", "--data-dir", str(spaced)]
    assert words[4:] == ["--database-url", empty_postgresql_url]


def test_init_names_the_database_without_its_password(tmp_path: Path, empty_postgresql_url: str) -> None:
    url = empty_postgresql_url.replace("postgres:@", "postgres:hunter2@").replace("postgres@", "postgres:hunter2@")
    assert "hunter2" in url
    result = run_init(tmp_path / "data", database_url=url)
    assert start_command(result).startswith("KEYBEARER_DATABASE_URL=")
    assert ":PASSWORD@" in start_command(result)
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("variable", "meant"),
    [("KEYBEARER_TRUSTD_PROXIES", "KEYBEARER_TRUSTED_PROXIES"), ("KEYBEARER_COLOUR", None)],
)
def test_a_variable_that_is_not_a_setting_causes_a_warning(data_dir: Path, variable: str, meant: str | None) -> None:
    result = CliRunner().invoke(admin, ["--data-dir", str(data_dir), "list-users"], env={variable: "10.0.0.0/8"})
    assert result.exit_code == 0
    warning = f"{variable} is not a setting of Keybearer and has no effect"
    assert f"{warning}: did you mean {meant}?" in result.stderr if meant else f"{warning}\n" in result.stderr


@pytest.mark.parametrize("stdin", ["", "\n", "two\nlines\n"])
def test_a_password_is_one_line(tmp_path: Path, stdin: str) -> None:
    assert run_init(tmp_path / "data", stdin).exit_code == 2


def test_an_operator_adds_people_and_lists_all_accounts(data_dir: Path) -> None:
    added = run_admin(
        data_dir,
        "add-user", "--email", "hamlet@example.com", "--name", "Hamlet", "--role", "moderator", "--password-stdin",
        stdin=PASSWORD + "\n",
    )  # fmt: skip
    assert added.exit_code == 0
    listed = json.loads(run_admin(data_dir, "list-users", "--json").stdout)
    assert [(row["email"], row["role"], row["is_active"]) for row in listed] == [
        (OWNER, "owner", True),
        ("hamlet@example.com", "moderator", True),
    ]
    assert "hamlet@example.com" in run_admin(data_dir, "list-users").stdout


def test_an_address_is_added_once(data_dir: Path) -> None:
    arguments = ("add-user", "--email", OWNER.upper(), "--name", "Another", "--password-stdin")
    assert told(run_admin(data_dir, *arguments, stdin=PASSWORD)) == "Email is already in use"


def test_the_printed_link_resets_a_password(data_dir: Path) -> None:
    printed = run_admin(data_dir, "reset-password", "--email", OWNER).stdout
    found = re.fullmatch(re.escape(SITE) + r"/accounts/password/reset/([\w-]+)/\n", printed)
    assert found is not None
    account = on_data(data_dir, lambda context: passwords.find_reset(context, Secret(found[1])))
    assert account.delivery_email == OWNER


def test_the_invitation_link_is_printed_and_mailed_and_works(data_dir: Path) -> None:
    printed = run_admin(data_dir, "invite", "--email", "hamlet@example.com", "--role", "moderator")
    found = re.fullmatch(re.escape(SITE) + r"/join/([\w-]+)/\n", printed.stdout)
    assert found is not None
    (mail,) = json.loads(run_admin(data_dir, "outbox", "--json").stdout)
    assert (mail["recipient"], printed.stdout.strip() in mail["text"]) == ("hamlet@example.com", True)

    async def join(context: Context) -> SignedIn:
        return await joining.accept(
            context, Secret(found[1]), full_name="Hamlet", password=Secret(PASSWORD), origin=RequestOrigin()
        )

    assert on_data(data_dir, join).account.role.label == "moderator"
    assert "already in use" in told(run_admin(data_dir, "invite", "--email", "hamlet@example.com"))


def test_only_the_outbox_shows_the_text_of_unsent_mails(data_dir: Path) -> None:
    assert "Every mail has been sent" in run_admin(data_dir, "outbox").stderr
    run_admin(data_dir, "regenerate", "--email", OWNER)
    shown = run_admin(data_dir, "outbox").stdout
    assert f"To: {OWNER}" in shown
    assert f"Sent by Keybearer for Example, {SITE}" in shown
    assert "Sent by Keybearer" not in run_admin(data_dir, "audit", "--json").stdout


def test_a_role_is_changed_but_not_that_of_the_only_owner(data_dir: Path) -> None:
    add_hamlet(data_dir)
    given = run_admin(data_dir, "set-role", "--email", "hamlet@example.com", "--role", "administrator")
    assert "is now administrator" in given.stdout
    refused = run_admin(data_dir, "set-role", "--email", OWNER, "--role", "member")
    assert "only organization owner" in told(refused)
    (event,) = json.loads(run_admin(data_dir, "audit", "--event", "account:role_changed", "--json").stdout)
    assert (event["actor"], event["details"]) == (None, {"from": "member", "to": "administrator"})


def test_a_reactivated_account_has_a_new_key(data_dir: Path) -> None:
    add_hamlet(data_dir)
    run_admin(data_dir, "deactivate-user", "--email", "hamlet@example.com")
    assert "Reactivated" in run_admin(data_dir, "reactivate-user", "--email", "hamlet@example.com").stdout
    assert "already active" in told(run_admin(data_dir, "reactivate-user", "--email", "hamlet@example.com"))
    (event,) = json.loads(run_admin(data_dir, "audit", "--event", "api_key:regenerated", "--json").stdout)
    assert event["details"]["because"] == "reactivated"


def add_hamlet(data_dir: Path) -> None:
    add = ("add-user", "--email", "hamlet@example.com", "--name", "Hamlet", "--password-stdin")
    assert run_admin(data_dir, *add, stdin=PASSWORD).exit_code == 0


async def add_named_key(context: Context) -> int:
    owner = await accounts.find_for_operator(context, OWNER)
    return (await named_keys.create(context, Caller(owner), NewKey("laptop"))).record.id


def test_a_named_key_is_listed_and_revoked_and_the_account_key_is_not(data_dir: Path) -> None:
    number = on_data(data_dir, add_named_key)
    shown = run_admin(data_dir, "list-keys", "--email", OWNER).stdout.splitlines()
    assert ["account key" in shown[0], f"{number}: laptop (" in shown[1]] == [True, True]
    assert all(re.search(r", made \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", line) for line in shown)
    account_key = json.loads(run_admin(data_dir, "list-keys", "--email", OWNER, "--json").stdout)[0]["id"]
    assert run_admin(data_dir, "revoke-key", str(number)).stdout == f"Revoked the key laptop of {OWNER}.\n"
    assert len(run_admin(data_dir, "list-keys", "--email", OWNER).stdout.splitlines()) == 1
    for refused in (number, account_key, 999):
        error = run_admin(data_dir, "revoke-key", str(refused)).exception
        assert isinstance(error, KeybearerError)
        assert ["list-keys" in error.hint, "keybearer admin regenerate" in error.hint] == [True, True]
    (event,) = json.loads(run_admin(data_dir, "audit", "--event", "api_key:revoked", "--json").stdout)
    assert (event["actor"], event["subject"]) == (None, OWNER)


def test_every_command_prints_json(data_dir: Path, tmp_path: Path) -> None:
    backup, hamlet = str(tmp_path / "backup"), ("--email", "hamlet@example.com")
    answers: dict[str, Any] = {}
    for command in (
        ("add-user", *hamlet, "--name", "Hamlet", "--password-stdin"),
        ("list-users",),
        ("set-role", *hamlet, "--role", "guest"),
        ("reset-password", *hamlet),
        ("regenerate", *hamlet),
        ("deactivate-user", *hamlet),
        ("reactivate-user", *hamlet),
        ("change-email", *hamlet, "--new-email", "prince@example.com"),
        ("invite", "--email", "ophelia@example.com"),
        ("list-keys", "--email", OWNER),
        ("revoke-key", str(on_data(data_dir, add_named_key))),
        ("outbox",),
        ("regenerate-all", "--yes"),
        ("set-site", "chat.example.com"),
        ("audit",),
        ("migrate",),
        ("backup", backup),
        ("restore", backup, "--force"),
        ("rotate-secrets",),
        ("check",),
    ):
        result = run_admin(data_dir, *command, "--json", stdin=PASSWORD)
        assert result.exit_code == 0, (command, result.output)
        answers[command[0]] = json.loads(result.stdout)
    assert answers.keys() == admin.commands.keys()
    assert answers["set-role"]["role"] == "guest"
    assert (answers["deactivate-user"]["is_active"], answers["reactivate-user"]["is_active"]) == (False, True)
    assert answers["reset-password"]["link"].startswith(f"{SITE}/accounts/password/reset/")
    assert answers["change-email"]["email"] == "prince@example.com"
    assert answers["regenerate-all"] == {"accounts": 2}
    assert answers["set-site"] == {"before": SITE, "site": "https://chat.example.com"}
    assert answers["restore"]["revoked"] == []
    assert answers["rotate-secrets"] == {"api_keys": 2, "tokens": 0}


def test_the_followed_log_is_an_object_in_each_line_until_it_is_stopped(data_dir: Path) -> None:
    follow = ["admin", "--data-dir", str(data_dir), "audit", "--follow", "--json", "--event", "api_key"]
    with subprocess.Popen([KEYBEARER, *follow], stdout=subprocess.PIPE, text=True, env=clean_environ()) as process:
        try:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            run_admin(data_dir, "regenerate", "--email", OWNER)
            second = json.loads(process.stdout.readline())
            process.terminate()
            code = process.wait(60)
        finally:
            process.kill()
    assert (first["event"], second["event"], code) == ("api_key:issued", "api_key:regenerated", 143)


def test_a_key_is_replaced_and_never_printed(data_dir: Path) -> None:
    result = run_admin(data_dir, "regenerate", "--email", OWNER)
    assert result.exit_code == 0
    assert not re.search(r"[A-Za-z0-9]{32}", result.output)


def test_every_key_is_replaced_at_once(data_dir: Path) -> None:
    run_admin(
        data_dir, "add-user", "--email", "hamlet@example.com", "--name", "Hamlet", "--password-stdin", stdin=PASSWORD
    )
    assert "2 accounts" in run_admin(data_dir, "regenerate-all", "--yes").stdout
    events = json.loads(run_admin(data_dir, "audit", "--event", "api_key:regenerated", "--json").stdout)
    assert {event["subject"] for event in events} == {OWNER, "hamlet@example.com"}


def test_set_site_reports_that_issued_files_have_the_old_site(data_dir: Path) -> None:
    result = run_admin(data_dir, "set-site", "Chat.Example.com/api")
    assert "https://chat.example.com" in result.stdout
    assert f"names {SITE}" in result.stderr
    assert on_data(data_dir, realms.find).site == "https://chat.example.com"


def test_a_deactivated_person_is_listed_and_the_only_owner_cannot_be_deactivated(data_dir: Path) -> None:
    assert "only organization owner" in told(run_admin(data_dir, "deactivate-user", "--email", OWNER))
    run_admin(
        data_dir, "add-user", "--email", "hamlet@example.com", "--name", "Hamlet", "--password-stdin", stdin=PASSWORD
    )
    assert run_admin(data_dir, "deactivate-user", "--email", "hamlet@example.com").exit_code == 0
    assert "(deactivated)" in run_admin(data_dir, "list-users").stdout


@pytest.mark.parametrize("command", ["reset-password", "deactivate-user", "reactivate-user", "regenerate"])
def test_an_unknown_address_is_reported(data_dir: Path, command: str) -> None:
    assert "nobody@example.com" in told(run_admin(data_dir, command, "--email", "nobody@example.com"))


def test_the_audit_log_is_filtered_by_event_account_and_time(data_dir: Path) -> None:
    run_admin(data_dir, "regenerate", "--email", OWNER)

    def events(*arguments: str) -> list[str]:
        found = json.loads(run_admin(data_dir, "audit", "--json", *arguments).stdout)
        return [event["event"] for event in found]

    assert events() == ["realm:created", "account:created", "api_key:issued", "api_key:regenerated"]
    assert events("--event", "api_key") == ["api_key:issued", "api_key:regenerated"]
    assert events("--event", "realm:created", "--event", "api_key:issued") == ["realm:created", "api_key:issued"]
    assert events("--account", OWNER) == ["account:created", "api_key:issued", "api_key:regenerated"]
    assert events("--since", "1h") == events()
    assert events("--since", "2999-01-01") == []
    assert events("--limit", "1") == ["api_key:regenerated"]


@pytest.mark.parametrize("arguments", [("--since", "yesterday"), ("--event", "nothing"), ("--limit", "0")])
def test_an_invalid_filter_is_wrong_usage(data_dir: Path, arguments: tuple[str, str]) -> None:
    assert run_admin(data_dir, "audit", *arguments).exit_code == 2


def test_a_directory_without_a_server_is_reported_with_a_remedy(tmp_path: Path) -> None:
    result = run_keybearer("admin", "--data-dir", tmp_path / "nothing", "list-users")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "keybearer init" in result.stderr
    assert not (tmp_path / "nothing").exists()


def test_the_data_directory_can_be_given_before_or_after_the_command(data_dir: Path) -> None:
    result = CliRunner().invoke(admin, ["list-users", "--data-dir", str(data_dir)])
    assert OWNER in result.stdout


def test_restoring_a_backup_keeps_later_revocations(data_dir: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    assert run_admin(data_dir, "backup", str(backup)).exit_code == 0
    run_admin(data_dir, "regenerate", "--email", OWNER)
    assert "--force" in told(run_admin(data_dir, "restore", str(backup)))
    restored = run_admin(data_dir, "restore", str(backup), "--force")
    assert restored.exit_code == 0
    assert f"The key of {OWNER} was replaced since" in restored.stderr
    (row,) = json.loads(run_admin(data_dir, "list-users", "--json").stdout)
    assert row["key_created"] is None


def test_a_backup_without_its_database_is_restored_with_a_warning(data_dir: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    run_admin(data_dir, "backup", str(backup))
    (data_dir / "keybearer.db").unlink()
    restored = run_admin(data_dir, "restore", str(backup))
    assert "work again" in restored.stderr
    assert OWNER in run_admin(data_dir, "list-users").stdout


def test_rotated_secrets_change_no_key(data_dir: Path) -> None:
    before = (data_dir / "secrets.json").read_text()
    (row,) = json.loads(run_admin(data_dir, "list-users", "--json").stdout)
    assert "1 API key and" in run_admin(data_dir, "rotate-secrets").stdout
    assert (data_dir / "secrets.json").read_text() != before
    assert json.loads(run_admin(data_dir, "list-users", "--json").stdout) == [row]
    assert "secrets:rotated" in run_admin(data_dir, "audit").stdout


def test_commands_refuse_a_secrets_file_that_the_database_was_not_written_with(data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "secrets.json"
    right = SecretRing.load(path)
    other = SecretRing.create(tmp_path / "other.json")
    wrong = other.path.read_text().replace(other.current_id, right.current_id)
    path.write_text(wrong)
    for command in (["list-users"], ["rotate-secrets"], ["regenerate", "--email", OWNER]):
        told = run_admin(data_dir, *command)
        assert isinstance(told.exception, SecretRingError), command
        assert "not the one that this database was written with" in str(told.exception)
    assert path.read_text() == wrong
