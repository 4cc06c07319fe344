"""`keybearer regenerate`: a new API key for the caller or for a bot. The old one is refused from then on."""

from __future__ import annotations

import click

from keybearer.cli import key_display
from keybearer.cli.bot_zuliprc import STDOUT, BotZuliprc, find_bot
from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import agreed, note, print_json, say
from keybearer.cli.terminal.streams import require_output
from keybearer.cli.user_display import email_of
from keybearer.client.sync import Client
from keybearer.errors import KeybearerError
from keybearer.store.key_replacement import KeyReplacement


@click.command()
@click.option("--bot", metavar="ID-OR-EMAIL", help="Replace the key of this bot instead of your own.")
@click.option(
    "--output",
    type=click.Path(readable=False),
    metavar="FILE",
    help="Write the bot's new zuliprc to this file; - prints it.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@credential_options
def regenerate(given: GivenCredentials, *, bot: str | None, output: str | None, yes: bool) -> None:
    """Replace the API key with a new one. The old one is refused at once.

    Your own new key replaces the old one in the active zuliprc. That file must have email, key and site in it;
    otherwise no request is sent. A bot's new zuliprc is written to --output.

    Named keys that end with the old key are listed first. If the active key is a named key, only that key is replaced.
    """
    if bot is None and output is not None:
        raise click.UsageError("--output needs --bot: your own new key is written to your zuliprc.")
    if bot is not None and output is None:
        raise click.UsageError("Name the file for the bot's new zuliprc with --output.")
    if bot is not None and output == STDOUT and given.as_json:
        raise click.UsageError("--json cannot be used with --output -, which prints the zuliprc.")
    require_output()
    if bot is None:
        _regenerate_own(given, yes=yes)
    else:
        with connected(given) as client:
            _regenerate_bot(client, bot, output, yes=yes, as_json=given.as_json)


def _regenerate_own(given: GivenCredentials, *, yes: bool) -> None:
    resolution = given.resolve()
    with Client(resolution) as client:
        if resolution.own_file is not None:  # else the client refuses, and says why
            # Before any request: check whether the new key can be written to the file.
            KeyReplacement(resolution.own_file, resolution.credentials).abandon()
            in_force = key_display.key_in_use(client)
            if in_force is not None and in_force.is_account_key:
                _report_ending_keys(client, in_force.user_id)
            _require_confirmation(resolution.email, yes=yes)
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
        _report_ending_keys(client, bot.user_id, bot_id=bot.user_id)
    _require_confirmation(email_of(bot), yes=yes)
    with waiting_for(client):
        key = client.regenerate_bot_api_key(bot.user_id)
    zuliprc.write(key)
    if as_json:
        print_json({"email": email_of(bot), "site": client.site, "file": str(zuliprc.path)})
    elif zuliprc.path is not None:
        say(f"{zuliprc.path}: {email_of(bot)} has a new API key; the old one is refused from now on")


def _report_ending_keys(client: Client, holder_id: int | None, *, bot_id: int | None = None) -> None:
    """Report the keys that end with an account key, including keys of other accounts that were created with it."""
    with waiting_for(client):
        ending = client.get_api_keys(bot_id=bot_id, ending=True)
    if ending:
        note("These keys end with the API key:")
    for key in ending:
        whose = "" if key.user_id == holder_id else f" of the user {key.user_id}"
        used = key_display.moment(key.last_used_at, "never")
        program = f" by {key.last_used_client}" if key.last_used_client else ""
        note(f"  {key_display.name_of(key)}{whose}, last used: {used}{program}")


def _require_confirmation(email: str, *, yes: bool) -> None:
    if not agreed(f"The API key of {email} will be refused everywhere at once. Issue a new one?", yes=yes):
        raise KeybearerError("No new API key was issued", hint="The old one still works")
