"""`keybearer bot`: the caller's bots, through the API."""

from __future__ import annotations

import os

import click

from keybearer.cli.bot_zuliprc import STDOUT, BotZuliprc, find_bot, place_for
from keybearer.cli.botserverrc import botserverrc
from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.key_display import lacks_account_key
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import agreed, note, print_file, print_json, print_table, say
from keybearer.cli.terminal.streams import require_output
from keybearer.cli.user_display import BOT_TYPES, as_json, email_of, kind_of
from keybearer.client.models.accounts import User
from keybearer.errors import KeybearerError
from keybearer.store.atomic import atomic_write
from keybearer.store.home import expand

_NUMBERS = {name: number for number, name in BOT_TYPES.items()}


@click.group()
def bot() -> None:
    """List, create and manage your bots."""


@bot.command("list")
@credential_options
def list_(given: GivenCredentials) -> None:
    """List your bots, including deactivated ones."""
    with connected(given) as client, waiting_for(client):
        bots = sorted(client.get_own_bots(), key=lambda one: one.user_id)
    if given.as_json:
        print_json([as_json(one) for one in bots])
        return
    rows = [[str(one.user_id), one.full_name, email_of(one), _type(one), _state(one)] for one in bots]
    print_table(["id", "name", "email", "type", "state"], rows)
    if not bots:
        note("You have no bots: `keybearer bot add` creates one.")


@bot.command()
@click.option("--name", required=True, metavar="NAME", help="The name that people see.")
@click.option("--short-name", required=True, metavar="NAME", help="The beginning of its email: NAME-bot@...")
@click.option(
    "--type",
    "type_name",
    type=click.Choice(list(_NUMBERS)),
    default="generic",
    show_default=True,
    help="The type of the bot, which says what it can do.",
)
@click.option("--payload-url", metavar="URL", help="The URL that the server calls for an outgoing webhook bot.")
@click.option(
    "--output",
    type=click.Path(readable=False),
    metavar="FILE",
    help="Also write its zuliprc to this file; - prints it.",
)
@click.option("--yes", is_flag=True, help="Replace another account's zuliprc without asking.")
@credential_options
def add(
    given: GivenCredentials,
    *,
    name: str,
    short_name: str,
    type_name: str,
    payload_url: str | None,
    output: str | None,
    yes: bool,
) -> None:
    """Create a bot that you own."""
    if given.as_json and output == STDOUT:
        raise click.UsageError("--json cannot be used with --output -, which prints the zuliprc.")
    if type_name == "outgoing-webhook" and payload_url is None:
        raise click.UsageError("An outgoing webhook bot needs --payload-url.")
    require_output()
    with connected(given) as client:
        path = place_for(output, email="", site=client.site, yes=yes)  # before a bot exists whose key cannot be stored
        with waiting_for(client):
            made = client.create_bot(name, short_name, bot_type=_NUMBERS[type_name], payload_url=payload_url)
            account = client.get_user_by_id(made.user_id)
        if output is not None:
            BotZuliprc(client, account, path).write(made.api_key or client.get_bot_api_key(made.user_id))
        if not given.as_json and output != STDOUT:
            _print_line(account)
        if not given.as_json and output is None:
            note(f"Its zuliprc: keybearer bot zuliprc {account.user_id} --output FILE")
    if given.as_json:
        print_json(as_json(account))


@bot.command()
@click.argument("id_or_email")
@credential_options
def show(given: GivenCredentials, *, id_or_email: str) -> None:
    """Show a bot."""
    with connected(given) as client:
        account = find_bot(client, id_or_email)
        with waiting_for(client):
            lacks_key = account.is_active and lacks_account_key(client, account.user_id)
    if given.as_json:
        print_json({**as_json(account), "owner_id": account.bot_owner_id, "date_joined": account.date_joined})
        return
    rows = [
        ["name", account.full_name],
        ["email", email_of(account)],
        ["id", str(account.user_id)],
        ["type", _type(account)],
        ["state", "active, without an API key" if lacks_key else _state(account)],
        ["owner", str(account.bot_owner_id or "-")],
        ["made", account.date_joined or "-"],
    ]
    print_table(["", "value"], rows)
    if lacks_key:
        note(f"Its last API key was revoked. Get a new one: keybearer regenerate --bot {account.user_id} --output FILE")


@bot.command()
@click.argument("id_or_email")
@click.option(
    "--output",
    type=click.Path(readable=False),
    metavar="FILE",
    help="Write it to this file, with mode 0600, instead of printing it.",
)
@click.option("--yes", is_flag=True, help="Replace another account's zuliprc without asking.")
@credential_options
def zuliprc(given: GivenCredentials, *, id_or_email: str, output: str | None, yes: bool) -> None:
    """Print a bot's zuliprc, or write it to a file."""
    if given.as_json and output in {None, STDOUT}:
        raise click.UsageError("A zuliprc is not JSON. Write it with --output FILE, or omit --json.")
    with connected(given) as client:
        prepared = BotZuliprc.prepared(client, find_bot(client, id_or_email), output, yes=yes)
        with waiting_for(client):
            key = client.get_bot_api_key(prepared.bot.user_id)
        prepared.write(key)
    if given.as_json:
        print_json({"file": str(prepared.path), "email": email_of(prepared.bot), "site": client.site})
    elif prepared.path is not None:
        say(f"{prepared.path}: {email_of(prepared.bot)} at {client.site}")


@bot.command("botserverrc")
@click.argument("bots", nargs=-1, required=True, metavar="[SECTION=]ID_OR_EMAIL...")
@click.option(
    "--output", type=click.Path(), metavar="FILE", help="Write it to this file, with mode 0600, instead of printing it."
)
@credential_options
def botserverrc_(given: GivenCredentials, *, bots: tuple[str, ...], output: str | None) -> None:
    """Print or write the file with which `zulip-botserver` runs several bots.

    The name of a section is that of the bot's program: helloworld=12. The default is the bot's short name.
    """
    if given.as_json:
        raise click.UsageError("A botserverrc is not JSON.")
    with connected(given) as client:
        path = None if output in (None, STDOUT) else expand(str(output), os.environ)
        if path is not None and path.exists():
            raise KeybearerError(f"{path} already exists", hint="Name another file, or remove it first")
        with waiting_for(client):
            text = botserverrc(client, bots)
    if path is None:
        print_file(text)
    else:
        atomic_write(path, text.encode())
        say(f"{path}: {len(bots)} bots at {client.site}")


@bot.command()
@click.argument("id_or_email")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@credential_options
def deactivate(given: GivenCredentials, *, id_or_email: str, yes: bool) -> None:
    """Deactivate a bot. Its keys are refused while it is deactivated."""
    with connected(given) as client:
        account = find_bot(client, id_or_email)
        if not agreed(f"Deactivate {account.full_name} <{email_of(account)}>?", yes=yes):
            raise KeybearerError(f"{email_of(account)} was not changed", hint="Nothing was changed")
        with waiting_for(client):
            client.deactivate_bot(account.user_id)
    _print_state(given, account, "is deactivated", is_active=False)


@bot.command()
@click.argument("id_or_email")
@credential_options
def reactivate(given: GivenCredentials, *, id_or_email: str) -> None:
    """Reactivate a bot. It may get a new key."""
    with connected(given) as client:
        account = find_bot(client, id_or_email)
        with waiting_for(client):
            client.reactivate_bot(account.user_id)
    _print_state(given, account, "is active again", is_active=True)
    if not given.as_json:
        note(f"It may have a new key. For its zuliprc, run: keybearer bot zuliprc {account.user_id} --output FILE")


def _print_state(given: GivenCredentials, account: User, what: str, *, is_active: bool) -> None:
    if given.as_json:
        print_json({**as_json(account), "is_active": is_active})
    else:
        say(f"{account.full_name} <{email_of(account)}> {what}")


def _print_line(account: User) -> None:
    say(f"{account.full_name} <{email_of(account)}>, {kind_of(account)}, id {account.user_id}")


def _type(account: User) -> str:
    return kind_of(account).removesuffix(" bot")


def _state(account: User) -> str:
    return "active" if account.is_active else "deactivated"
