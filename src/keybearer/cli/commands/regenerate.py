"""`keybearer regenerate`: a new API key for oneself or for a bot; the old one is worth nothing from then on."""

from __future__ import annotations

import click

from keybearer.cli.bot_zuliprc import STDOUT, BotZuliprc, find_bot
from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import agreed, print_json, say
from keybearer.cli.user_display import email_of
from keybearer.client.sync import Client
from keybearer.errors import KeybearerError


@click.command()
@click.option("--bot", metavar="ID-OR-EMAIL", help="Make the new key for this bot, not for yourself.")
@click.option(
    "--output", type=click.Path(readable=False), metavar="FILE", help="Where the bot's new zuliprc goes; - prints it."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@credential_options
def regenerate(given: GivenCredentials, *, bot: str | None, output: str | None, yes: bool) -> None:
    """Make a new API key; the old one is refused from then on.

    Your own new key goes into the zuliprc in force, in place of the old one: email, key and site must all stand in
    that file, else nothing is asked of the server. A bot's new zuliprc goes to --output.
    """
    if bot is None and output is not None:
        raise click.UsageError("--output is for --bot: your own new key goes into your zuliprc.")
    if bot is not None and output is None:
        raise click.UsageError("Say with --output where the bot's new zuliprc goes.")
    if bot is not None and output == STDOUT and given.as_json:
        raise click.UsageError("--json does not go with --output -, which prints the zuliprc.")
    if bot is None:
        _regenerate_own(given, yes=yes)
    else:
        with connected(given) as client:
            _regenerate_bot(client, bot, output, yes=yes, as_json=given.as_json)


def _regenerate_own(given: GivenCredentials, *, yes: bool) -> None:
    resolution = given.resolve()
    with Client(resolution) as client:
        if resolution.own_file is not None:  # else the client refuses, and says why
            _require_leave(resolution.email, yes=yes)
        with waiting_for(client):
            client.regenerate_api_key()
    if given.as_json:
        print_json({"email": client.email, "site": client.site, "file": resolution.own_file})
    else:
        say(f"{resolution.own_file}: {client.email} has a new API key; the old one is refused from now on")


def _regenerate_bot(client: Client, id_or_email: str, output: str | None, *, yes: bool, as_json: bool) -> None:
    bot = find_bot(client, id_or_email)
    zuliprc = BotZuliprc.prepared(client, bot, output, yes=yes)
    _require_leave(email_of(bot), yes=yes)
    with waiting_for(client):
        key = client.regenerate_bot_api_key(bot.user_id)
    zuliprc.write(key)
    if as_json:
        print_json({"email": email_of(bot), "site": client.site, "file": str(zuliprc.path)})
    elif zuliprc.path is not None:
        say(f"{zuliprc.path}: {email_of(bot)} has a new API key; the old one is refused from now on")


def _require_leave(email: str, *, yes: bool) -> None:
    if not agreed(f"The API key of {email} will be refused everywhere, at once. Make a new one?", yes=yes):
        raise KeybearerError("No new API key was made", hint="The old one still works")
