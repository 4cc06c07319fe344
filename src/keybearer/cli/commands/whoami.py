"""`keybearer whoami`: which account the credentials in force are of, as the server sees it."""

from __future__ import annotations

import click

from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import print_json, say
from keybearer.cli.user_display import as_json, email_of, kind_of


@click.command()
@credential_options
def whoami(given: GivenCredentials) -> None:
    """Say which account the credentials in force are of.

    The server is asked, once: where it answers, the key works.
    """
    with connected(given) as client, waiting_for(client):
        profile = client.get_profile()
    if given.as_json:
        print_json({**as_json(profile), "site": client.site})
    else:
        say(f"{profile.full_name} <{email_of(profile)}>, {kind_of(profile)} at {client.site}")
