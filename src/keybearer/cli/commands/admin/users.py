"""`keybearer admin`: the accounts of people and bots."""

from __future__ import annotations

from typing import Any

import click

from keybearer.cli.data_dir import on_data, run_on
from keybearer.cli.options import json_option
from keybearer.cli.terminal.input import read_password
from keybearer.cli.terminal.output import print_json
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.services import accounts, api_keys, bots, passwords, realms
from keybearer.server.services.context import Context
from keybearer.server.settings import Settings

email_option = click.option("--email", required=True, help="The account's email address.")


@click.command("list-users")
@json_option
@on_data
def list_users(settings: Settings, *, as_json: bool) -> None:
    """List every account, bots and the deactivated too."""

    async def find(context: Context) -> list[tuple[Account, APIKeyRecord | None]]:
        found = await accounts.find_all_for_operator(context)
        return [(account, await api_keys.find_record(context, account.id)) for account in found]

    rows = [_row(account, key) for account, key in run_on(settings, find)]
    if as_json:
        print_json(rows)
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


@click.command("add-user")
@email_option
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


@click.command("reset-password")
@email_option
@on_data
def reset_password(settings: Settings, *, email: str) -> None:
    """Print a one-time link with which a person chooses a new password, within two hours."""

    async def make_link(context: Context) -> str:
        realm = await realms.find(context)
        token = await passwords.reset_link_by_operator(context, email)
        return f"{realm.site}/accounts/password/reset/{token.reveal()}/"

    click.echo(run_on(settings, make_link))


@click.command("deactivate-user")
@email_option
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
