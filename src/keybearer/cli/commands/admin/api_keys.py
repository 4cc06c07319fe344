"""`keybearer admin`: the operator lists, revokes and replaces API keys."""

from __future__ import annotations

from typing import Any

import click

from keybearer.cli.commands.admin.answers import account_document, answer, in_words, moment
from keybearer.cli.commands.admin.users import email_option
from keybearer.cli.data_dir import on_data, run_on
from keybearer.cli.options import json_option
from keybearer.cli.terminal.output import agreed, note, print_json, say
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.grants import scope_names
from keybearer.server.services import accounts, api_keys, key_lists, named_keys
from keybearer.server.services.context import Context
from keybearer.server.settings import Settings
from keybearer.wording import counted


@click.command()
@email_option
@json_option
@on_data
def regenerate(settings: Settings, *, email: str, as_json: bool) -> None:
    """Replace the API key of a person or a bot. The old one is refused at once.

    All named keys of the account end with it. The owner gets a mail.
    """

    async def replace(context: Context) -> Account:
        account = await accounts.find_for_operator(context, email)
        return (await api_keys.regenerate_by_operator(context, account.id)).account

    account = run_on(settings, replace)
    sentence = f"Replaced the API key of {account.full_name} <{account.delivery_email}>."
    answer(sentence, account_document(account), as_json=as_json)
    note("The new one can be downloaded on the settings page.")


@click.command("list-keys")
@email_option
@json_option
@on_data
def list_keys(settings: Settings, *, email: str, as_json: bool) -> None:
    """List the valid API keys of a person or a bot: the account key and the named keys. Their text is not shown."""
    keys = run_on(settings, lambda context: key_lists.find_all_for_operator(context, email))
    if as_json:
        print_json([_row(key) for key in keys])
        return
    for key in keys:
        kind = "account key" if key.is_account_key else f"{key.name} ({', '.join(scope_names(key.scopes))})"
        ends = "" if key.expires_at is None else f", ends {in_words(key.expires_at)}"
        used = "" if key.last_use is None else f", last used {in_words(key.last_use.at)}"
        say(f"{key.id}: {kind}, made {in_words(key.created_at)}{ends}{used}")


def _row(key: APIKeyRecord) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "is_account_key": key.is_account_key,
        "scopes": scope_names(key.scopes),
        "networks": key.networks,
        "created": moment(key.created_at),
        "expires": moment(key.expires_at),
        "last_used": moment(None if key.last_use is None else key.last_use.at),
    }


@click.command("revoke-key")
@click.argument("key_id", metavar="ID", type=int)
@json_option
@on_data
def revoke_key(settings: Settings, *, key_id: int, as_json: bool) -> None:
    """Revoke the named key that `list-keys` shows under ID. Keys that were created with it end too.

    An account key is replaced instead, with `regenerate`.
    """
    hint = "Named keys and their ids: keybearer admin list-keys. An account key is replaced: keybearer admin regenerate"
    revoked = run_on(settings, lambda context: named_keys.revoke_of_organization(context, None, key_id), hint=hint)
    sentence = f"Revoked the key {revoked.record.name} of {revoked.account.delivery_email}."
    answer(sentence, {"account": account_document(revoked.account), **_row(revoked.record)}, as_json=as_json)


@click.command("regenerate-all")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@on_data
def regenerate_all(settings: Settings, *, yes: bool, as_json: bool) -> None:
    """Replace every API key at once, after a leak. Every issued zuliprc becomes invalid, and every owner gets a mail.

    Invitations and password reset links become invalid too.

    A running server cannot change anything until this is done. That takes about a second for every thousand accounts.
    """
    if not agreed("Every program that uses a key of this server will be refused. Continue?", yes=yes):
        raise click.Abort
    note("Until this is done, a running server cannot change anything. It still answers calls that only read.")
    count = run_on(settings, api_keys.regenerate_all_by_operator)
    answer(f"Replaced the API keys of {counted(count, 'account')}.", {"accounts": count}, as_json=as_json)
