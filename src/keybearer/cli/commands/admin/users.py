"""`keybearer admin`: the accounts of people and bots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from keybearer.cli.commands.admin.answers import account_document, answer, in_words, moment
from keybearer.cli.data_dir import on_data, run_on
from keybearer.cli.options import json_option
from keybearer.cli.terminal.input import read_password
from keybearer.cli.terminal.output import note, print_json
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.links import Link
from keybearer.server.services import (
    accounts,
    api_keys,
    bots,
    deactivation,
    email_changes,
    invitations,
    passwords,
    realms,
)
from keybearer.server.services.context import Context
from keybearer.server.settings import Settings

email_option = click.option("--email", required=True, help="The account's email address.")


def role_option(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: ANN401  as click has it
    """`--role`, required or with a default."""
    choice = click.Choice([role.label for role in Role])
    return click.option("--role", type=choice, help="The account's role.", **options)


@click.command("list-users")
@json_option
@on_data
def list_users(settings: Settings, *, as_json: bool) -> None:
    """List every account, including bots and deactivated accounts."""

    async def find(context: Context) -> list[tuple[Account, APIKeyRecord | None]]:
        found = await accounts.find_all_for_operator(context)
        return [(account, await api_keys.find_record(context, account.id)) for account in found]

    found = run_on(settings, find)
    if as_json:
        print_json([_row(account, key) for account, key in found])
        return
    for account, key in found:
        kind = (account.role if account.bot_type is None else account.bot_type).label
        state = "" if account.is_active else " (deactivated)"
        used = f", key last used {in_words(key.last_use.at)}" if key is not None and key.last_use is not None else ""
        click.echo(f"{account.id:>5}  {account.delivery_email}  {account.full_name}  {kind}{state}{used}")


def _row(account: Account, key: APIKeyRecord | None) -> dict[str, Any]:
    used = key.last_use if key is not None else None
    return {
        **account_document(account),
        "key_created": moment(None if key is None else key.created_at),
        "key_last_used": moment(None if used is None else used.at),
    }


@click.command("add-user")
@email_option
@click.option("--name", required=True, help="The person's full name.")
@role_option(default=Role.MEMBER.label, show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
@on_data
def add_user(settings: Settings, *, email: str, name: str, role: str, password_stdin: bool, as_json: bool) -> None:
    """Add a person, with a first API key."""
    password = read_password(from_stdin=password_stdin, option="--password-stdin")

    async def add(context: Context) -> Account:
        return await accounts.add_by_operator(
            context, email=email, full_name=name, role=Role[role.upper()], password=password
        )

    account = run_on(settings, add)
    answer(f"Added {_named(account)} as {account.role.label}.", account_document(account), as_json=as_json)


@click.command()
@email_option
@role_option(default=Role.MEMBER.label, show_default=True)
@json_option
@on_data
def invite(settings: Settings, *, email: str, role: str, as_json: bool) -> None:
    """Invite a person: print a one-time link for joining, and mail it.

    The invitation is in the name of the first owner of the organization.
    """

    async def make_link(context: Context) -> tuple[Link, str]:
        link, token = await invitations.invite_by_operator(context, email, role=Role[role.upper()])
        return link, f"{(await realms.find(context)).site}/join/{token.reveal()}/"

    link, address = run_on(settings, make_link)
    document = {
        "id": link.id,
        "email": link.email,
        "role": role,
        "link": address,
        "expires_at": moment(link.expires_at),
    }
    answer(address, document, as_json=as_json)
    note(f"With this link, {link.email} can join until {in_words(link.expires_at)}.")


@click.command("reset-password")
@email_option
@json_option
@on_data
def reset_password(settings: Settings, *, email: str, as_json: bool) -> None:
    """Print a one-time link with which a person chooses a new password, within two hours."""

    async def make_link(context: Context) -> str:
        realm = await realms.find(context)
        token = await passwords.reset_link_by_operator(context, email)
        return f"{realm.site}/accounts/password/reset/{token.reveal()}/"

    link = run_on(settings, make_link)
    answer(link, {"email": email, "link": link}, as_json=as_json)


@click.command("change-email")
@email_option
@click.option("--new-email", required=True, help="The person's new email address.")
@json_option
@on_data
def change_email(settings: Settings, *, email: str, new_email: str, as_json: bool) -> None:
    """Change a person's email address. Every browser is signed out, and their open password links become invalid."""

    async def change(context: Context) -> Account:
        account = await accounts.find_for_operator(context, email)
        return await email_changes.change_by_operator(context, account.id, new_email)

    account = run_on(settings, change)
    answer(f"{_named(account)} now signs in with this address.", account_document(account), as_json=as_json)
    note(f"Every zuliprc of this account names {email}: change its email= line, or download it again.")


@click.command("set-role")
@email_option
@role_option(required=True)
@json_option
@on_data
def set_role(settings: Settings, *, email: str, role: str, as_json: bool) -> None:
    """Change the role of a person or a bot. A bot never has more rights than its owner."""

    async def give(context: Context) -> Account:
        account = await accounts.find_for_operator(context, email)
        return await accounts.change_person(context, None, account.id, role=Role[role.upper()])

    account = run_on(settings, give)
    answer(f"{_named(account)} is now {account.role.label}.", account_document(account), as_json=as_json)


@click.command("deactivate-user")
@email_option
@json_option
@on_data
def deactivate_user(settings: Settings, *, email: str, as_json: bool) -> None:
    """Deactivate a person or a bot. Their keys and sessions are refused from the next request on."""

    async def deactivate(context: Context) -> Account:
        account = await accounts.find_for_operator(context, email)
        if account.is_bot:
            await bots.deactivate(context, None, account.id)
        else:
            await deactivation.deactivate_person(context, None, account.id)
        return await accounts.find_for_operator(context, email)

    account = run_on(settings, deactivate)
    answer(f"Deactivated {_named(account)}.", account_document(account), as_json=as_json)


@click.command("reactivate-user")
@email_option
@json_option
@on_data
def reactivate_user(settings: Settings, *, email: str, as_json: bool) -> None:
    """Reactivate a person or a bot with a new API key. The old key stays revoked. A person's bots stay deactivated."""

    async def reactivate(context: Context) -> Account:
        account = await accounts.find_for_operator(context, email)
        if account.is_active:
            raise Refused(f"{_named(account)} is already active")
        return await deactivation.reactivate(context, None, account.id)

    account = run_on(settings, reactivate)
    answer(f"Reactivated {_named(account)}, with a new API key.", account_document(account), as_json=as_json)


def _named(account: Account) -> str:
    return f"{account.full_name} <{account.delivery_email}>"
