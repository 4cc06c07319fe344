"""`keybearer admin`: the database as a whole: its schema, its backups and the secrets that seal it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from keybearer.cli.data_dir import on_data, run_on
from keybearer.cli.terminal.output import note
from keybearer.server.services import server_data
from keybearer.server.settings import Settings
from keybearer.server.storage import schema


@click.command()
@on_data
def migrate(settings: Settings) -> None:
    """Bring the database's schema up to this version of Keybearer."""
    migration = asyncio.run(schema.migrate(settings.database_url))
    if migration.before == migration.after:
        click.echo(f"The schema is {migration.after} already.")
        return
    click.echo(f"The schema is {migration.after} now.")
    if migration.copy is not None:
        note(f"The database as it was is in {migration.copy}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@on_data
def backup(settings: Settings, *, file: Path, force: bool) -> None:
    """Write a backup of the database to FILE. The server may be running."""
    asyncio.run(server_data.back_up(settings, file, overwrite=force))
    click.echo(f"The backup is in {file}.")
    note(f"It opens only with the secrets of {settings.secrets_file}: keep a copy of that elsewhere.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace what the database holds.")
@on_data
def restore(settings: Settings, *, file: Path, force: bool) -> None:
    """Replace the database by the backup in FILE. The server must be stopped.

    Keys that were replaced and accounts that were deactivated since stay so, where the database is still there.
    """
    restored = asyncio.run(server_data.restore(settings, file, overwrite=force))
    since = "its making" if restored.made_at is None else f"{restored.made_at:%Y-%m-%d %H:%M:%S} UTC"
    click.echo(f"Restored {file}.")
    if restored.revoked is None or restored.deactivated is None:
        note(
            f"There was no database to compare with: what was replaced or deactivated since {since} is live again. "
            "Run `keybearer admin regenerate-all` if a key leaked since."
        )
        return
    for email in restored.revoked:
        note(f"The key of {email} was replaced since {since}: it has none now. Generate one.")
    for email in restored.deactivated:
        note(f"{email} was deactivated since {since}, and stays so.")


@click.command("rotate-secrets")
@on_data
def rotate_secrets(settings: Settings) -> None:
    """Seal every key under a new secret. No key changes, and the server may be running."""
    resealed = run_on(settings, server_data.rotate_secrets)
    click.echo(f"Sealed {resealed.api_keys} API keys and {resealed.tokens} tokens under a new secret.")
    note(f"{settings.secrets_file} has changed: renew your copy of it.")
