"""Restores a backup without making valid again what was revoked since it was made.

A backup is older than the database that it replaces. It still has live keys that were revoked since, active accounts
that were deactivated since, and the wider form of named keys that were narrowed since. If the replaced database can be
read, those stay revoked, deactivated and narrowed. If there is none, the operator is told the time of the backup.
Sessions, one-time links, waiting mails and counted failures are dropped in either case, because nobody can tell any
more which of them have ended.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import FileError, SchemaError, StorageError
from keybearer.server.storage import backup, rotation, schema
from keybearer.server.storage.dialect import continue_ids
from keybearer.server.storage.engine import Database
from keybearer.server.storage.messaging.tables import metadata
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.sqlite import check_integrity, copy_file
from keybearer.server.storage.tables import accounts, api_keys, attempts, devices, links, mails, realms, sessions

MAGIC = b"SQLite format 3\0"
"""The beginning of every SQLite file."""

PASSING = (sessions, links, mails, attempts)
"""Tables whose rows mean nothing after they are restored from a backup."""

_TAKEN_BACK = (
    api_keys.c.revoked_at,
    api_keys.c.scopes,
    api_keys.c.networks,
    api_keys.c.expires_at,
    api_keys.c.replaced_by,
)
"""The properties of a key that can only become more restricted."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """What was restored. `made_at` is when the backup was made, None if the backup does not say.

    `revoked` and `deactivated` are the emails of accounts that lost their account key, or were deactivated, after the
    backup was made, and for which this still holds. Named keys that were revoked since then stay revoked too. Both are
    None if there was no database to compare with: then everything that was revoked or deactivated after `made_at` is
    live again.
    """

    made_at: datetime | None
    revoked: tuple[str, ...] | None
    deactivated: tuple[str, ...] | None


async def restore(source: Path, url: str, ring: SecretRing, *, overwrite: bool = False) -> Restoration:
    """Replace the database at `url` with the backup at `source`, in one transaction. No server may be running.

    The backup is checked, migrated and opened with the ring before anything is changed. Raises FileError if it does not
    exist, or if the database holds an organization and `overwrite` is false; SchemaError if a newer program wrote it;
    SecretRingError if its keys were sealed with other secrets; otherwise StorageError.
    """
    with tempfile.TemporaryDirectory(prefix="keybearer-restore-") as directory:
        prepared = Path(directory, "prepared.db")
        made_at = await asyncio.to_thread(_copy_backup, source, prepared)
        await schema.migrate(backup.url_of(prepared))
        database = await _opened(url)
        replacement = await Database.open(backup.url_of(prepared))
        try:
            return await _replace(database, replacement, ring, made_at, overwrite=overwrite)
        finally:
            await replacement.close()
            await database.close()


async def _opened(url: str) -> Database:
    try:
        await schema.migrate(url)
        return await Database.open(url)
    except SchemaError:
        raise
    except StorageError as error:
        hint = "If it is a damaged file, move it away and restore again."
        raise StorageError(error.message, hint=hint) from None


def _copy_backup(source: Path, prepared: Path) -> datetime | None:
    if not source.is_file():
        raise FileError(f"The backup {source} does not exist")
    with source.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise FileError(f"{source} is not a backup", hint="Use a file that `keybearer admin backup` wrote.")
    copy_file(source, prepared)
    if not check_integrity(prepared):
        raise StorageError(f"The backup {source} is damaged", hint="Use another one.")
    return backup.made_at(prepared)


async def _replace(
    database: Database, replacement: Database, ring: SecretRing, made_at: datetime | None, *, overwrite: bool
) -> Restoration:
    async with database.write() as target:
        await schema.check(target, is_own=True)
        is_empty = (await target.execute(select(realms.c.id).limit(1))).first() is None
        if not is_empty and not overwrite:
            raise FileError(
                "The database already holds an organization",
                hint="Use --force to replace it with the backup, or choose another data directory.",
            )
        revoked = deactivated = None
        async with replacement.write() as prepared:
            await schema.check(prepared, is_own=True)
            if (await prepared.execute(select(realms.c.id).limit(1))).first() is None:
                raise StorageError("The backup holds no organization")
            await rotation.check(prepared, ring)
            for table in PASSING:
                await prepared.execute(delete(table))
            if not is_empty:
                revoked = await _keep_revoked(target, prepared)
                deactivated = await _keep_deactivated(target, prepared)
        async with replacement.read() as prepared:
            await backup.transfer(prepared, target)
        for table in metadata.sorted_tables:
            await continue_ids(target, table)
    return Restoration(made_at, revoked, deactivated)


async def _keep_revoked(current: AsyncConnection, prepared: AsyncConnection) -> tuple[str, ...]:
    """Revoke in the backup what is revoked now, and narrow its named keys as far as they are narrowed now.

    Two keys are the same if id, account and time of issue match.
    """
    key_ids = (api_keys.c.id, api_keys.c.account_id, api_keys.c.created_at)
    changed = api_keys.c.revoked_at.is_not(None) | api_keys.c.is_account_key.is_(False)
    now = {tuple(row[:3]): row for row in await current.execute(select(*key_ids, *_TAKEN_BACK).where(changed))}
    live_then = await prepared.execute(
        select(*key_ids, api_keys.c.is_account_key, accounts.c.delivery_email)
        .join_from(api_keys, accounts, accounts.c.id == api_keys.c.account_id)
        .where(api_keys.c.revoked_at.is_(None))
        .order_by(accounts.c.id, api_keys.c.id)
    )
    emails: dict[str, None] = {}
    for row in live_then.all():
        if (key := now.get(tuple(row[:3]))) is None:
            continue
        values = {column.name: getattr(key, column.name) for column in _TAKEN_BACK}
        if key.revoked_at is not None:
            values["sealed"] = None
            if row.is_account_key:
                emails[row.delivery_email] = None
                await prepared.execute(delete(devices).where(devices.c.account_id == row.account_id))
        await prepared.execute(update(api_keys).where(api_keys.c.id == row.id).values(**values))
    return tuple(emails)


async def _keep_deactivated(current: AsyncConnection, prepared: AsyncConnection) -> tuple[str, ...]:
    columns = (accounts.c.id, accounts.c.date_joined)
    inactive_now = {
        tuple(row) for row in await current.execute(select(*columns).where(accounts.c.is_active.is_(False)))
    }
    active_then = await prepared.execute(
        select(*columns, accounts.c.delivery_email).where(accounts.c.is_active).order_by(accounts.c.id)
    )
    taken_back = [row for row in active_then.all() if tuple(row[:2]) in inactive_now]
    for row in taken_back:
        await prepared.execute(update(accounts).where(accounts.c.id == row.id).values(is_active=False))
    return tuple(row.delivery_email for row in taken_back)
