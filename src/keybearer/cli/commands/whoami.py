"""`keybearer whoami`: the account of the active credentials, as the server reports it."""

from __future__ import annotations

import click

from keybearer.cli import key_display
from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.key_display import key_in_use
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import print_json, say
from keybearer.cli.user_display import as_json, email_of, kind_of


@click.command()
@credential_options
def whoami(given: GivenCredentials) -> None:
    """Show the account of the active credentials.

    The server is asked, so success means that the key works. For a named key, its name, scopes and end are shown.
    """
    with connected(given) as client, waiting_for(client):
        profile = client.get_profile()
        key = key_in_use(client)
    if given.as_json:
        api_key = None if key is None else key_display.as_json(key)
        print_json({**as_json(profile), "site": client.site, "key": api_key})
        return
    say(f"{profile.full_name} <{email_of(profile)}>, {kind_of(profile)} at {client.site}")
    if key is not None and not key.is_account_key:
        say(key_display.described(key))
