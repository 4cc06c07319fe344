"""SQLite: one file, used in the thread of the event loop, and without SQLAlchemy where every microsecond counts."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy import ColumnElement, LargeBinary, Select, bindparam, event, func, select
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.util import await_only

from keybearer.errors import StorageError
from keybearer.server.storage.driver import Found
from keybearer.server.storage.shared_commit import SharedCommit, begin_immediately
from keybearer.server.storage.sqlite_dialect import InlineDialect, InlineEngine
from keybearer.server.storage.sqlite_reading import Readers
from keybearer.store.atomic import replacement

BUSY_TIMEOUT = 10.0
"""Seconds that a writer waits for a writer in another process."""

WAL_AGAIN_AFTER = 0.01
LARGEST_LOOKUP = 512
SMALL_LOOKUP = 32
"""How many values a look-up asks for with a statement of just that size. Larger sizes are powers of two, whose last
places repeat the last value, so that the statements that stay prepared are few.
"""
LOOKUP_CACHE = 8 * 1024
"""Kibibytes of the file that a look-up caches. SQLite's default of 2 MiB holds the index of some thousand keys."""
LOOKUP_TIMEOUT = 0.5
"""Seconds that the event loop waits while SQLite repairs the file after a crash. It waits for nothing else."""


def connect(url: str) -> SQLiteDriver:
    """The driver for `sqlite:///path`. Raises StorageError for a database in memory, which workers could not share."""
    database = make_url(url).database
    if not database or ":memory:" in database:
        raise StorageError(
            "A database in memory cannot be shared by workers, and is lost when the server stops",
            hint="Use a file: sqlite:////path/to/keybearer.db.",
        )
    return SQLiteDriver(Path(database))


class SQLiteDriver:
    """An SQLite file. WAL lets readers continue while somebody writes. synchronous=FULL keeps what was committed."""

    dialect_name = "sqlite"

    def __init__(self, path: Path, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = path
        self._busy_timeout = busy_timeout

    def reader(self) -> Readers:
        return Readers(self._engine("query_only=ON"))

    def writer(self) -> SharedCommit:
        # SQLite would wait for another process inside the event loop. `begin_immediately` waits beside it instead. What
        # SQLite needs to undo a savepoint would be written to a temporary file, which takes as long as the statement.
        return SharedCommit(self._engine("busy_timeout=0", "temp_store=MEMORY"), self._busy_timeout)

    def migrator(self) -> InlineEngine:
        # Rebuilding a table drops it, and dropping it would also delete every row that refers to it.
        self._create_file()
        engine = self._engine("foreign_keys=OFF")

        def begin(connection: Connection) -> None:
            raw: Any = connection.connection.driver_connection
            await_only(begin_immediately(raw, time.monotonic() + self._busy_timeout))

        event.listen(engine.sync_engine, "begin", begin)
        return engine

    def _create_file(self) -> None:
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StorageError(f"The database {self.path} cannot be written: {error.strerror}") from None

    def _probe(self) -> None:
        """Open the file once by hand. This shows at the start whether the file can be used, and switches it to a
        write-ahead log.
        """
        try:
            with closing(sqlite3.connect(f"{_uri(self.path)}?mode=rw", uri=True, timeout=self._busy_timeout)) as probe:
                probe.execute("PRAGMA schema_version").fetchone()
                self._switch_to_wal(probe)
        except sqlite3.Error as error:
            raise _explained(error, self.path) from None

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """Switch the file to a write-ahead log. If several programs try at once, SQLite does not let any of
        them wait.
        """
        until = time.monotonic() + self._busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(WAL_AGAIN_AFTER)
            else:
                return

    def _engine(self, *pragmas: str) -> InlineEngine:
        self._probe()
        engine = InlineEngine(_uri(self.path), timeout=LOOKUP_TIMEOUT)

        def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401  the driver's connection
            for pragma in (*_PRAGMAS, *pragmas):
                connection.execute(f"PRAGMA {pragma}")
            connection.create_function("casefold", 1, str.casefold, deterministic=True)

        event.listen(engine.sync_engine, "connect", prepare)
        return engine

    def exists(self) -> bool:
        return self.path.exists()

    async def keep_copy(self, revision: str) -> Path | None:
        copy = self.path.with_name(f"{self.path.stem}-{revision}{self.path.suffix}")
        await asyncio.to_thread(copy_file, self.path, copy)
        return copy

    async def take_migration_lock(self, connection: AsyncConnection) -> None:
        """Nothing: BEGIN IMMEDIATE has already taken it."""

    def is_held_up(self, error: Exception) -> bool:
        return False

    async def check_after_migration(self, connection: AsyncConnection) -> None:
        broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).first()
        if broken is not None:
            table, parent = broken._mapping["table"], broken._mapping["parent"]
            raise StorageError(f"The migration would leave a row of {table} that refers to nothing in {parent}")

    def lookup(self, statement: Select[Any], by: ColumnElement[Any], beside: Select[Any] | None = None) -> SQLiteLookup:
        return SQLiteLookup(self.path, statement, by, beside)

    def explain(self, error: Exception) -> StorageError | None:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(error, IntegrityError | ProgrammingError) or not isinstance(cause, sqlite3.Error):
            return None
        return _explained(cause, self.path)


_PRAGMAS = (
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",  # an erased sealed key is also removed from the file, not only from the table
    "trusted_schema=OFF",
)

_HINTS = {
    sqlite3.SQLITE_FULL: ("there is no room left", "Free some space on its disk."),
    sqlite3.SQLITE_BUSY: ("another program has been writing to it for too long", "Try again in a moment."),
    sqlite3.SQLITE_LOCKED: ("another program has been writing to it for too long", "Try again in a moment."),
    sqlite3.SQLITE_READONLY: ("it cannot be written", "Check who owns the file and its directory."),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "Check that it exists, and who owns it and its directory."),
    sqlite3.SQLITE_PERM: ("it cannot be opened", "Check who owns the file and its directory."),
    sqlite3.SQLITE_NOTADB: ("it is not an SQLite database", "Name another file, or restore a backup."),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "Stop the server and restore a backup."),
    sqlite3.SQLITE_IOERR: ("its disk fails", "Look at the disk and the system's log."),
}


def _explained(error: sqlite3.Error, path: Path) -> StorageError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    what, hint = _HINTS.get(code, (str(error), ""))
    return StorageError(f"The database {path} cannot be used: {what}", hint=hint)


def _uri(path: Path) -> str:
    # mode=rw is always set: if a database file is missing, that is an error, and no new empty file is created.
    return "file:" + quote(str(path.absolute()))


def copy_file(source: Path, target: Path) -> None:
    """Copy a database that may be in use, as it is at one moment. `target` is replaced in one step. Raises
    StorageError."""
    try:
        with (
            replacement(target) as file,
            closing(sqlite3.connect(f"{_uri(source)}?mode=rw", uri=True, timeout=BUSY_TIMEOUT)) as origin,
            closing(sqlite3.connect(file.name)) as copy,
        ):
            origin.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a separate log file
    except OSError as error:
        raise StorageError(f"The copy {target} cannot be written: {error.strerror}") from None
    except sqlite3.Error as error:
        raise _explained(error, source) from None


def check_integrity(path: Path) -> bool:
    """Whether the file's pages, indexes and references are intact. Raises StorageError if it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{_uri(path)}?mode=ro", uri=True)) as connection:
            is_whole: bool = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return is_whole and not connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        raise _explained(error, path) from None


class SQLiteLookup:
    """A query on a connection of its own, run in the event loop.

    Finding a few rows by an index takes microseconds, and in WAL mode no writer makes a reader wait. Passing the query
    to a thread and the rows back takes longer, and under load each switch of the interpreter's lock takes milliseconds.
    For the same reason all rows are returned as one JSON text: sqlite3 releases the lock at each row.
    """

    def __init__(
        self, path: Path, statement: Select[Any], by: ColumnElement[Any], beside: Select[Any] | None = None
    ) -> None:
        self._path = path
        self._statement = statement
        self._beside = beside
        self._by = by
        self._binary = [
            place for place, column in enumerate(statement.selected_columns) if isinstance(column.type, LargeBinary)
        ]
        self._connection: sqlite3.Connection | None = None

    async def fetch(self, values: Sequence[Any]) -> Found:
        try:
            if self._connection is None:
                self._connection = self._connect()
            rows, beside = self._ask(self._connection, values)
        except sqlite3.Error as error:
            await self.close()
            raise _explained(error, self._path) from None
        for place in self._binary:
            for row in rows:
                row[place] = bytes.fromhex(row[place])
        return Found(rows, beside)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{_uri(self._path)}?mode=rw", uri=True, isolation_level=None, timeout=LOOKUP_TIMEOUT
        )
        connection.execute("PRAGMA query_only=ON")
        connection.execute(f"PRAGMA cache_size=-{LOOKUP_CACHE}")
        return connection

    def _ask(self, connection: sqlite3.Connection, values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        rows: list[Any] = []
        beside: list[Any] = []
        for start in range(0, len(values), LARGEST_LOOKUP):
            part = values[start : start + LARGEST_LOOKUP]
            size = len(part) if len(part) <= SMALL_LOOKUP else 1 << (len(part) - 1).bit_length()
            text = _compiled(self._statement, self._by, self._beside, size)
            found, *others = connection.execute(text, [*part, *[part[-1]] * (size - len(part))]).fetchone()
            rows += _decode(found)
            beside = _decode(others[0]) if others else []
        return rows, beside


_decode = msgspec.json.Decoder(list[list[Any]]).decode


@lru_cache(maxsize=64)
def _compiled(statement: Select[Any], by: ColumnElement[Any], beside: Select[Any] | None, size: int) -> str:
    """The text that queries so many values. It returns all rows as one JSON text, and the rows beside them as
    another.
    """
    values = [bindparam(f"v{number}", type_=by.type) for number in range(size)]
    rows = statement.where(by.in_(values)).subquery()
    columns = [func.hex(column) if isinstance(column.type, LargeBinary) else column for column in rows.columns]
    as_json = select(func.json_group_array(func.json_array(*columns)))
    if beside is not None:
        others = beside.subquery()
        listed = select(func.json_group_array(func.json_array(*others.columns))).select_from(others)
        as_json = as_json.add_columns(listed.scalar_subquery())
    return str(as_json.compile(dialect=InlineDialect()))
