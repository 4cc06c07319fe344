"""`keybearer regenerate`: a new API key for oneself or for a bot; the old one is worth nothing from then on."""

from __future__ import annotations

import click

from keybearer.cli import key_display
from keybearer.cli.bot_zuliprc import STDOUT, BotZuliprc, find_bot
from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import agreed, note, print_json, say
from keybearer.cli.user_display import email_of
from keybearer.client.sync import Client
from keybearer.errors import KeybearerError
from keybearer.store.key_replacement import KeyReplacement


@click.command()
@click.option("--bot", metavar="ID-OR-EMAIL", help="Make the new key for this bot, not for yourself.")
@click.option(
    "--output", type=click.Path(readable=False), metavar="FILE", help="Where the bot's new zuliprc goes; - prints it."
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@credential_options
def regenerate(given: GivenCredentials, *, bot: str | None, output: str | None, yes: bool) -> None:
    """Make a new API key; the old one is refused from then on.

    Your own new key goes into the zuliprc in force, in place of the old one: email, key and site must all stand in
    that file, else nothing is asked of the server. A bot's new zuliprc goes to --output.

    Named keys that end with the old key are named first. Of a named key, only that one is replaced.
    """
    if bot is None and output is not None:
        raise click.UsageError("--output is for --bot: your own new key goes into your zuliprc.")
    if bot is not None and output is None:
        raise click.UsageError("Say with --output where the bot's new zuliprc goes.")
    if bot is not None and output == STDOUT and given.as_json:
        raise click.UsageError("--json cannot be used with --output -, which prints the zuliprc.")
    if bot is None:
        _regenerate_own(given, yes=yes)
    else:
        with connected(given) as client:
            _regenerate_bot(client, bot, output, yes=yes, as_json=given.as_json)


def _regenerate_own(given: GivenCredentials, *, yes: bool) -> None:
    resolution = given.resolve()
    with Client(resolution) as client:
        if resolution.own_file is not None:  # else the client refuses, and says why
            # Before anything is asked of the server: whether the file can take the new key.
            KeyReplacement(resolution.own_file, resolution.credentials).abandon()
            in_force = key_display.key_in_use(client)
            if in_force is not None and in_force.is_account_key:
                _say_what_stops(client, in_force.user_id)
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
    if key_display.key_in_use(client) is not None:
        _say_what_stops(client, bot.user_id, bot_id=bot.user_id)
    _require_leave(email_of(bot), yes=yes)
    with waiting_for(client):
        key = client.regenerate_bot_api_key(bot.user_id)
    zuliprc.write(key)
    if as_json:
        print_json({"email": email_of(bot), "site": client.site, "file": str(zuliprc.path)})
    elif zuliprc.path is not None:
        say(f"{zuliprc.path}: {email_of(bot)} has a new API key; the old one is refused from now on")


def _say_what_stops(client: Client, holder_id: int | None, *, bot_id: int | None = None) -> None:
    """Name the named keys that end with an account key, those of bots too that were created with it."""
    with waiting_for(client):
        ending = client.get_api_keys(bot_id=bot_id, ending=True)
    if ending:
        note("With the API key stop these named keys:")
    for key in ending:
        whose = "" if key.user_id == holder_id else f" of the bot {key.user_id}"
        used = key_display.moment(key.last_used_at, "never")
        program = f" by {key.last_used_client}" if key.last_used_client else ""
        note(f"  {key_display.name_of(key)}{whose}, last used: {used}{program}")


def _require_leave(email: str, *, yes: bool) -> None:
    if not agreed(f"The API key of {email} will be refused everywhere, at once. Make a new one?", yes=yes):
        raise KeybearerError("No new API key was made", hint="The old one still works")
