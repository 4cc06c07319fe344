"""`keybearer admin`: API keys that are replaced by the operator."""

from __future__ import annotations

import click

from keybearer.cli.commands.admin.answers import account_document, answer
from keybearer.cli.commands.admin.users import email_option
from keybearer.cli.data_dir import on_data, run_on
from keybearer.cli.options import json_option
from keybearer.cli.terminal.output import agreed, note
from keybearer.server.domain.accounts import Account
from keybearer.server.services import accounts, api_keys
from keybearer.server.services.context import Context
from keybearer.server.settings import Settings


@click.command()
@email_option
@json_option
@on_data
def regenerate(settings: Settings, *, email: str, as_json: bool) -> None:
    """Replace the API key of a person or a bot. The old one is dead at once; the owner is told by mail."""

    async def replace(context: Context) -> Account:
        account = await accounts.find_for_operator(context, email)
        return (await api_keys.regenerate_by_operator(context, account.id)).account

    account = run_on(settings, replace)
    sentence = f"Replaced the API key of {account.full_name} <{account.delivery_email}>."
    answer(sentence, account_document(account), as_json=as_json)
    note("The new one can be downloaded on the settings page.")


@click.command("regenerate-all")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@on_data
def regenerate_all(settings: Settings, *, yes: bool, as_json: bool) -> None:
    """Replace every API key at once, after a leak. Every issued zuliprc is void then, and every owner is told.

    Invitations, and links that reset passwords, are void too.

    A running server cannot change anything until it is done: about a second for every thousand accounts.
    """
    if not agreed("Every program that uses a key of this server will be refused. Go on?", yes=yes):
        raise click.Abort
    note("Until this is done, a running server cannot change anything; calls that only read are answered.")
    count = run_on(settings, api_keys.regenerate_all_by_operator)
    answer(f"Replaced the API keys of {count} accounts.", {"accounts": count}, as_json=as_json)
