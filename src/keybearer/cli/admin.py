"""`keybearer admin`: what an operator does on the server's own machine, on the data directory, without a server."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from keybearer.cli.audit import audit
from keybearer.cli.installation import data_dir_option, database_url_option, on_data, read_password, run_on
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.services import accounts, api_keys, bots, passwords, realms, server_data
from keybearer.server.services.context import Context
from keybearer.server.settings import Settings
from keybearer.server.storage import schema


@click.group()
@data_dir_option
@database_url_option
@click.pass_context
def admin(context: click.Context, *, data_dir: Path | None, database_url: str | None) -> None:
    """Work on a server's data, on its own machine. The server may be running."""
    context.obj = (data_dir, database_url)


_email = click.option("--email", required=True, help="The account's email address.")


@admin.command("list-users")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@on_data
def list_users(settings: Settings, *, as_json: bool) -> None:
    """List every account, bots and the deactivated too."""

    async def find(context: Context) -> list[tuple[Account, APIKeyRecord | None]]:
        found = await accounts.find_all_for_operator(context)
        return [(account, await api_keys.find_record(context, account.id)) for account in found]

    rows = [_row(account, key) for account, key in run_on(settings, find)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        kind = row["bot_type"] or row["role"]
        state = "" if row["is_active"] else " (deactivated)"
        used = f", key last used {row['key_last_used']}" if row["key_last_used"] else ""
        click.echo(f"{row['id']:>5}  {row['email']}  {row['full_name']}  {kind}{state}{used}")


def _row(account: Account, key: APIKeyRecord | None) -> dict[str, Any]:
    used = key.last_use if key is not None else None
    return {
        "id": account.id,
        "email": account.delivery_email,
        "full_name": account.full_name,
        "role": account.role.label,
        "bot_type": None if account.bot_type is None else account.bot_type.label,
        "bot_owner_id": account.bot_owner_id,
        "is_active": account.is_active,
        "date_joined": account.date_joined.isoformat(timespec="seconds"),
        "key_created": None if key is None else key.created_at.isoformat(timespec="seconds"),
        "key_last_used": None if used is None else used.at.isoformat(timespec="seconds"),
    }


@admin.command("add-user")
@_email
@click.option("--name", required=True, help="The person's full name.")
@click.option(
    "--role",
    type=click.Choice([role.label for role in Role]),
    default=Role.MEMBER.label,
    show_default=True,
    help="What the person may do.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@on_data
def add_user(settings: Settings, *, email: str, name: str, role: str, password_stdin: bool) -> None:
    """Add a person, with a first API key."""
    password = read_password(from_stdin=password_stdin, option="--password-stdin")

    async def add(context: Context) -> Account:
        return await accounts.add_by_operator(
            context, email=email, full_name=name, role=Role[role.upper()], password=password
        )

    account = run_on(settings, add)
    click.echo(f"Added {account.full_name} <{account.delivery_email}> as {account.role.label}.")


@admin.command("reset-password")
@_email
@on_data
def reset_password(settings: Settings, *, email: str) -> None:
    """Print a one-time link with which a person chooses a new password, within two hours."""

    async def make_link(context: Context) -> str:
        realm = await realms.find(context)
        token = await passwords.reset_link_by_operator(context, email)
        return f"{realm.site}/accounts/password/reset/{token.reveal()}/"

    click.echo(run_on(settings, make_link))


@admin.command("deactivate-user")
@_email
@on_data
def deactivate_user(settings: Settings, *, email: str) -> None:
    """Deactivate a person or a bot: the key and every session are refused from the next request on."""

    async def deactivate(context: Context) -> Account:
        account = await accounts.find_for_operator(context, email)
        if account.is_bot:
            await bots.deactivate(context, None, account.id)
        else:
            await accounts.deactivate_person(context, None, account.id)
        return account

    account = run_on(settings, deactivate)
    click.echo(f"Deactivated {account.full_name} <{account.delivery_email}>.")


@admin.command()
@_email
@on_data
def regenerate(settings: Settings, *, email: str) -> None:
    """Replace the API key of a person or a bot. The old one is dead at once; the owner is told by mail."""

    async def replace(context: Context) -> Account:
        account = await accounts.find_for_operator(context, email)
        return (await api_keys.regenerate_by_operator(context, account.id)).account

    account = run_on(settings, replace)
    click.echo(f"Replaced the API key of {account.full_name} <{account.delivery_email}>.")
    click.echo("The new one can be downloaded on the settings page.", err=True)


@admin.command("regenerate-all")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_data
def regenerate_all(settings: Settings, *, yes: bool) -> None:
    """Replace every API key at once, after a leak. Every issued zuliprc is void then, and every owner is told."""
    if not yes and sys.stdin.isatty():
        click.confirm("Every program that uses a key of this server will be refused. Go on?", abort=True, err=True)
    count = run_on(settings, api_keys.regenerate_all_by_operator)
    click.echo(f"Replaced the API keys of {count} accounts.")


@admin.command("set-site")
@click.argument("site")
@on_data
def set_site(settings: Settings, *, site: str) -> None:
    """Move the organization to another address, SITE."""

    async def move(context: Context) -> tuple[str, str]:
        before, after = await realms.move(context, site)
        return before.site, after.site

    before, after = run_on(settings, move)
    click.echo(f"The organization is at {after} now.")
    if before != after:
        click.echo(
            f"Every zuliprc that was issued names {before}: change its site= line, or download it again.", err=True
        )


@admin.command()
@on_data
def migrate(settings: Settings) -> None:
    """Bring the database's schema up to this version of Keybearer."""
    migration = asyncio.run(schema.migrate(settings.database_url))
    if migration.before == migration.after:
        click.echo(f"The schema is {migration.after} already.")
        return
    click.echo(f"The schema is {migration.after} now.")
    if migration.copy is not None:
        click.echo(f"The database as it was is in {migration.copy}.", err=True)


@admin.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@on_data
def backup(settings: Settings, *, file: Path, force: bool) -> None:
    """Write a backup of the database to FILE. The server may be running."""
    asyncio.run(server_data.back_up(settings, file, overwrite=force))
    click.echo(f"The backup is in {file}.")
    click.echo(f"It opens only with the secrets of {settings.secrets_file}: keep a copy of that elsewhere.", err=True)


@admin.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace what the database holds.")
@on_data
def restore(settings: Settings, *, file: Path, force: bool) -> None:
    """Replace the database by the backup in FILE. The server must be stopped.

    Keys that were replaced and accounts that were deactivated since stay so, where the database is still there.
    """
    restored = asyncio.run(server_data.restore(settings, file, overwrite=force))
    since = "its making" if restored.made_at is None else f"{restored.made_at:%Y-%m-%d %H:%M:%S} UTC"
    click.echo(f"Restored {file}.")
    if restored.revoked is None or restored.deactivated is None:
        click.echo(
            f"There was no database to compare with: what was replaced or deactivated since {since} is live again. "
            "Run `keybearer admin regenerate-all` if a key leaked since.",
            err=True,
        )
        return
    for email in restored.revoked:
        click.echo(f"The key of {email} was replaced since {since}: it has none now. Generate one.", err=True)
    for email in restored.deactivated:
        click.echo(f"{email} was deactivated since {since}, and stays so.", err=True)


@admin.command("rotate-secrets")
@on_data
def rotate_secrets(settings: Settings) -> None:
    """Seal every key under a new secret. No key changes, and the server may be running."""
    resealed = run_on(settings, server_data.rotate_secrets)
    click.echo(f"Sealed {resealed.api_keys} API keys and {resealed.tokens} tokens under a new secret.")
    click.echo(f"{settings.secrets_file} has changed: renew your copy of it.", err=True)


admin.add_command(audit)
