"""Backups: the whole database in one SQLite file, from either kind of database.

A backup never contains the secrets. It reveals no key without the secrets file, which is kept elsewhere.
"""

from __future__ import annotations

import asyncio
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
from keybearer.server.storage.instants import from_microseconds, to_microseconds
from keybearer.server.storage.messaging.tables import metadata, upload_chunks
from keybearer.store.atomic import replacement

CHUNK = 500
"""Rows that are read and written at a time."""

LARGE_CHUNK = 8
"""The same for a table whose rows have up to 256 kB."""


def url_of(path: Path) -> str:
    """The database address of an SQLite file."""
    return f"sqlite:///{quote(str(path.absolute()))}"


async def write(url: str, target: Path, *, at: datetime, overwrite: bool = False) -> None:
    """Write the database at `url`, as it is at one moment, into a new file of mode 0600. A server may be running.

    The file is either complete or absent. Raises FileError if it exists (unless `overwrite`) or cannot be written, and
    StorageError if the database fails.
    """
    database = await Database.open(url)
    try:
        async with database.read() as connection:
            # Otherwise tables that only a newer program knows would be missing.
            await schema.check(connection, is_own=True)
        _require_free(target, overwrite=overwrite)
        with replacement(target) as file:
            await _fill(Path(file.name), database, at)
    except OSError as error:
        raise FileError(f"The backup {target} cannot be written: {error.strerror}") from None
    finally:
        await database.close()


def _require_free(target: Path, *, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise FileError(f"The file {target} already exists", hint="Choose another name, or use --force to replace it.")


async def _fill(path: Path, database: Database, at: datetime) -> None:
    """Copy the database into the empty file at `path`. All connections to the file are closed afterwards."""
    try:
        await schema.migrate(url_of(path))
        copy = await Database.open(url_of(path))
        try:
            async with database.read() as source, copy.write() as destination:
                await transfer(source, destination)
        finally:
            await copy.close()
        await asyncio.to_thread(_finish, path, at)
    finally:
        for suffix in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _finish(path: Path, at: datetime) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE backup (made_at INTEGER NOT NULL, version TEXT NOT NULL)")
        connection.execute("INSERT INTO backup VALUES (?, ?)", (to_microseconds(at), __version__))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # one file, without a separate log file


def made_at(path: Path) -> datetime | None:
    """When the backup was made; None if the database file is not a Keybearer backup."""
    with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as connection:
        try:
            row = connection.execute("SELECT made_at FROM backup").fetchone()
        except sqlite3.OperationalError:
            return None
    return None if row is None else from_microseconds(row[0])


async def transfer(source: AsyncConnection, destination: AsyncConnection) -> None:
    """Replace all rows of all tables with the rows of the source."""
    for table in reversed(metadata.sorted_tables):
        await destination.execute(delete(table))
    for table in metadata.sorted_tables:
        own = _references_to_itself(table)
        most = LARGE_CHUNK if table is upload_chunks else CHUNK
        rows = await source.stream(select(table), execution_options={"max_row_buffer": most})
        async for chunk in rows.partitions(most):
            values = [dict(row._mapping) for row in chunk]
            await destination.execute(insert(table), [{**row, **{each.name: None for each in own}} for row in values])
        for column in own:
            await _copy_references(source, destination, column)


def _references_to_itself(table: Table) -> list[Column[object]]:
    """Columns that refer to rows of the same table. Those rows may be written later, so the columns are filled
    in last.
    """
    return [column for column in table.columns if any(key.column.table is table for key in column.foreign_keys)]


async def _copy_references(source: AsyncConnection, destination: AsyncConnection, column: Column[object]) -> None:
    table = column.table
    rows = await source.stream(select(table.c.id, column).where(column.is_not(None)))
    statement = update(table).where(table.c.id == bindparam("of_id")).values({column.name: bindparam("other")})
    async for chunk in rows.partitions(CHUNK):
        await destination.execute(statement, [{"of_id": row[0], "other": row[1]} for row in chunk])
