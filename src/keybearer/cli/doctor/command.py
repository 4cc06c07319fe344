"""The command `keybearer doctor`."""

from __future__ import annotations

import click

from keybearer.cli.options import GivenCredentials, credential_options


@click.command()
@credential_options
def doctor(given: GivenCredentials) -> None:
    """Find what is wrong with the credentials in force, and what mends it."""
    given.resolve()
