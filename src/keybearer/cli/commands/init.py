"""`keybearer init`: the set-up of a server without a browser."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from keybearer.cli.data_dir import (
    data_dir_option,
    database_url_option,
    report_refusals,
    run_on,
    run_stoppable,
    settings_for,
)
from keybearer.cli.terminal.input import read_password
from keybearer.cli.terminal.output import note
from keybearer.server.domain.accounts import Account
from keybearer.server.services import server_data, setup
from keybearer.server.services.context import Context
from keybearer.server.settings import Settings, without_password


@click.command()
@data_dir_option
@database_url_option
@click.option("--organization", required=True, help="The organization's name.")
@click.option("--site", required=True, help="Its address, as it will be in every zuliprc.")
@click.option("--owner-email", required=True, help="The owner's email address.")
@click.option("--owner-name", required=True, help="The owner's full name.")
@click.option("--owner-password-stdin", is_flag=True, help="Read the owner's password from standard input.")
def init(
    *,
    data_dir: Path | None,
    database_url: str | None,
    organization: str,
    site: str,
    owner_email: str,
    owner_name: str,
    owner_password_stdin: bool,
) -> None:
    """Set up a server: the data directory, the organization and its owner."""
    settings = settings_for(data_dir, database_url)
    password = read_password(from_stdin=owner_password_stdin, option="--owner-password-stdin")
    # Checked before anything is written, so a refusal leaves nothing behind.
    with report_refusals():
        wanted = setup.NewOrganization.checked(
            name=organization, site=site, email=owner_email, full_name=owner_name, password=password
        )
    run_stoppable(server_data.prepare(settings))

    async def create(context: Context) -> Account:
        return await setup.create_organization_by_operator(context, wanted)

    owner = run_on(settings, create)
    click.echo(f"{wanted.name} is set up at {wanted.site}; its owner is {owner.delivery_email}.")
    note(f"Start the server with: {_start_command(settings)}")


def _start_command(settings: Settings) -> str:
    """The command that starts a server on this data. It does not repeat a password in the address of the database."""
    command = ["keybearer", "serve", "--data-dir", str(settings.data_dir)]
    variables = []
    usual = Settings(data_dir=settings.data_dir)
    if settings.secrets_file != usual.secrets_file:
        variables.append(f"KEYBEARER_SECRETS={shlex.quote(str(settings.secrets_file))}")
    if settings.database_url != usual.database_url:
        shown = without_password(settings.database_url)
        if shown == settings.database_url:
            command += ["--database-url", shown]
        else:
            variables.append(f"KEYBEARER_DATABASE_URL={shlex.quote(shown)}")
    return " ".join([*variables, shlex.join(command)])
