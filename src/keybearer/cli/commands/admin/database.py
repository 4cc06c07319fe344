"""`keybearer admin`: the database as a whole: its schema, its backups and the secrets that seal it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from keybearer.cli.commands.admin.answers import answer, in_words, moment
from keybearer.cli.data_dir import on_data, run_on, run_stoppable
from keybearer.cli.options import json_option
from keybearer.cli.terminal.output import note
from keybearer.server.services import server_data
from keybearer.server.services.messaging import old_uploads
from keybearer.server.services.messaging.old_uploads import MovedFiles
from keybearer.server.settings import Settings
from keybearer.server.storage import schema
from keybearer.wording import counted


@click.command()
@json_option
@on_data
def migrate(settings: Settings, *, as_json: bool) -> None:
    """Upgrade the database's schema to this version of Keybearer, and move uploaded files of version 0.1.0 into it."""
    done = run_stoppable(schema.migrate(settings.database_url))
    already = " already" if done.before == done.after else " now"
    copy = None if done.copy is None else str(done.copy)
    has_files = (settings.data_dir / old_uploads.DIRECTORY).is_dir()
    files = run_on(settings, old_uploads.move_into_database) if has_files else MovedFiles()
    document = {"before": done.before, "after": done.after, "copy": copy, "files": asdict(files)}
    answer(f"The schema is {done.after}{already}.", document, as_json=as_json)
    if copy is not None:
        note(f"A copy of the old database is in {copy}.")
    if files.written:
        note(f"{files.written} uploaded files have moved into the database.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@json_option
@on_data
def backup(settings: Settings, *, file: Path, force: bool, as_json: bool) -> None:
    """Write a backup of the database to FILE. The server may be running."""
    run_stoppable(server_data.back_up(settings, file, overwrite=force))
    document = {"file": str(file), "secrets_file": str(settings.secrets_file)}
    answer(f"The backup is in {file}.", document, as_json=as_json)
    note(f"It is usable only with {settings.secrets_file}: keep a copy of that file elsewhere.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the content of the database. Needed if it has an organization.")
@json_option
@on_data
def restore(settings: Settings, *, file: Path, force: bool, as_json: bool) -> None:
    """Replace the database with the backup in FILE. The server must be stopped.

    If the database already has an organization, this needs --force. Keys that were replaced since the backup then stay
    revoked, and accounts that were deactivated since then stay deactivated. If it has none, they work
    again.
    """
    restored = run_stoppable(server_data.restore(settings, file, overwrite=force))
    document = {
        "file": str(file),
        "made_at": moment(restored.made_at),
        "revoked": restored.revoked,
        "deactivated": restored.deactivated,
    }
    answer(f"Restored {file}.", document, as_json=as_json)
    since = "its making" if restored.made_at is None else in_words(restored.made_at)
    if restored.revoked is None or restored.deactivated is None:
        note(
            f"There was no database to compare with: keys that were replaced and accounts that were deactivated since "
            f"{since} work again. "
            "Run `keybearer admin regenerate-all` if a key has leaked since then."
        )
        return
    for email in restored.revoked:
        note(f"The key of {email} was replaced since {since}. The account has no key now: generate one.")
    for email in restored.deactivated:
        note(f"{email} was deactivated since {since}, and stays deactivated.")


@click.command("rotate-secrets")
@click.option(
    "--prepare", is_flag=True, help="Only add the new secret to the file. Then copy the file to every machine."
)
@json_option
@on_data
def rotate_secrets(settings: Settings, *, prepare: bool, as_json: bool) -> None:
    """Seal every key under a new secret. No key changes, and the server may be running.

    If several machines serve, each with a copy of the secrets file, use --prepare on one of them, copy its file to the
    others, then rotate. Afterwards, copy the file once more.
    """
    if prepare:
        run_on(settings, server_data.prepare_rotation)
        document = {"secrets_file": str(settings.secrets_file)}
        answer(f"A new secret is in {settings.secrets_file}. It is not used yet.", document, as_json=as_json)
        note("Copy the file to every machine that serves, then run this without --prepare.")
        return
    resealed = run_on(settings, server_data.rotate_secrets)
    sentence = (
        f"Sealed {counted(resealed.api_keys, 'API key')} and {counted(resealed.tokens, 'token')} under a new secret."
    )
    answer(sentence, {"api_keys": resealed.api_keys, "tokens": resealed.tokens}, as_json=as_json)
    note(f"{settings.secrets_file} has changed: replace every copy of it.")
