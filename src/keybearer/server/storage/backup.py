"""Backups: the whole database in one SQLite file, whatever database it is taken from.

The secrets are never in it: it yields no key without the secrets file, which is kept elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Column, Table, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer._version import __version__
from keybearer.errors import FileError
from keybearer.server.storage import schema
from keybearer.server.storage.engine import Database
from keybearer.server.storage.messaging.tables import metadata
from keybearer.server.storage.tables import from_microseconds, to_microseconds

CHUNK = 500
"""Rows that are read and written at a time."""


def url_of(path: Path) -> str:
    """The database address of an SQLite file."""
    return f"sqlite:///{quote(str(path.absolute()))}"


async def write(url: str, target: Path, *, at: datetime, overwrite: bool = False) -> None:
    """Write the database at `url`, as it is at one moment, into a new file of mode 0600. A server may be running.

    The file is whole or not there. Raises FileError where it is there already (unless `overwrite`) or cannot be
    written, StorageError where the database fails.
    """
    database = await Database.open(url)
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        await asyncio.to_thread(_create, unfinished, target, overwrite=overwrite)
        await schema.migrate(url_of(unfinished))
        copy = await Database.open(url_of(unfinished))
        try:
            async with database.read() as source, copy.write() as destination:
                await transfer(source, destination)
        finally:
            await copy.close()
        await asyncio.to_thread(_finish, unfinished, target, at)
    except OSError as error:
        raise FileError(f"The backup {target} cannot be written: {error.strerror}") from None
    finally:
        await database.close()
        for leftover in (unfinished, *_beside(unfinished)):
            leftover.unlink(missing_ok=True)


def _create(unfinished: Path, target: Path, *, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise FileError(f"There is a file at {target} already", hint="Name another, or say --force to replace it.")
    # Made exclusively: no link that somebody left lying leads the backup elsewhere.
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")]


def _finish(unfinished: Path, target: Path, at: datetime) -> None:
    with closing(sqlite3.connect(unfinished)) as connection, connection:
        connection.execute("CREATE TABLE backup (made_at INTEGER NOT NULL, version TEXT NOT NULL)")
        connection.execute("INSERT INTO backup VALUES (?, ?)", (to_microseconds(at), __version__))
    with closing(sqlite3.connect(unfinished)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    for path in (unfinished, unfinished.parent):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    unfinished.replace(target)


def made_at(path: Path) -> datetime | None:
    """When the backup was made; None for a database file that is not a backup of ours."""
    with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as connection:
        try:
            row = connection.execute("SELECT made_at FROM backup").fetchone()
        except sqlite3.OperationalError:
            return None
    return None if row is None else from_microseconds(row[0])


async def transfer(source: AsyncConnection, destination: AsyncConnection) -> None:
    """Replace every row of every table by the source's."""
    for table in reversed(metadata.sorted_tables):
        await destination.execute(delete(table))
    for table in metadata.sorted_tables:
        own = _references_to_itself(table)
        rows = await source.stream(select(table))
        async for chunk in rows.partitions(CHUNK):
            values = [dict(row._mapping) for row in chunk]
            await destination.execute(insert(table), [{**row, **{each.name: None for each in own}} for row in values])
        for column in own:
            await _copy_references(source, destination, column)


def _references_to_itself(table: Table) -> list[Column[object]]:
    """Columns that point at other rows of the same table: those rows may come later, so they are filled in last."""
    return [column for column in table.columns if any(key.column.table is table for key in column.foreign_keys)]


async def _copy_references(source: AsyncConnection, destination: AsyncConnection, column: Column[object]) -> None:
    table = column.table
    rows = await source.stream(select(table.c.id, column).where(column.is_not(None)))
    statement = update(table).where(table.c.id == bindparam("of_id")).values({column.name: bindparam("other")})
    async for chunk in rows.partitions(CHUNK):
        await destination.execute(statement, [{"of_id": row[0], "other": row[1]} for row in chunk])
