"""SQLAlchemy on `sqlite3` without threads: a statement runs in the event loop, where it is awaited.

Most statements find or write a few rows by an index, which takes microseconds. Passing each to a thread and its rows
back would take many times as long. Statements that would hold up other requests in the event loop run in a thread: a
SELECT that has not finished after a few milliseconds is stopped and runs again there, and so does a statement with very
many rows to write. After a statement that finds many rows, other work gets a turn: several in a row would hold it up.
"""

from __future__ import annotations

import asyncio
import math
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from typing import Any, TypeVar, final

from sqlalchemy import create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteExecutionContext
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import FromClause
from sqlalchemy.util import LRUCache, await_only, greenlet_spawn

from keybearer.server.domain.pacing import AT_ONCE, LONGEST
from keybearer.server.storage.dialect import CHANGES_MANY
from keybearer.server.storage.direct import DirectConnection

SHORT = 0.02
"""Seconds that a SELECT may take in the event loop."""

STEPS = 4000
"""Steps of SQLite's virtual machine between two looks at the clock: some ten microseconds, unless they read texts."""

COMPILED_STATEMENTS = 1024
"""Statements that SQLAlchemy has compiled, which a process caches."""

PREPARED_STATEMENTS = 256
"""Statements that SQLite has prepared, which a connection caches. A long one takes some 20 kB."""

MUCH_TEXT = 500_000
"""Characters of several rows. More are written in a thread."""

LONG_LIST = 2000
"""Characters of a list of some hundred ids. An UPDATE or DELETE with a longer parameter runs in a thread."""

Result = TypeVar("Result")


@final
class FileConnection(sqlite3.Connection):
    """A connection of the driver, whose SELECTs can have a time limit. Only one task may use it at a time."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  as sqlite3 has them
        super().__init__(*arguments, **options)
        self.is_hurried = False
        """Whether slow statements move to a thread. If this is set, statements must run in a greenlet."""
        self.stop_at = math.inf
        self.is_cancelled = False
        """Whether the task was cancelled during the statement."""
        self.set_progress_handler(self._is_late, STEPS)

    def stop(self) -> None:
        """Stop the SELECT that is running. It fails with SQLITE_INTERRUPT."""
        self.stop_at = -math.inf

    def _is_late(self) -> bool:
        return time.monotonic() > self.stop_at

    def cursor(self, _factory: object = None) -> _Cursor:  # type: ignore[override]
        return super().cursor(_Cursor)  # type: ignore[arg-type]


def _changes_many(statement: str, parameters: Any) -> bool:  # noqa: ANN401  as sqlite3 has them
    """Whether a statement changes the rows of a long list, which is one text among its parameters. It cannot be stopped
    after it has begun.
    """
    return statement.startswith(("UPDATE", "DELETE")) and any(
        isinstance(each, str) and len(each) > LONG_LIST for each in parameters
    )


def _only_reads(statement: str) -> bool:
    """Whether a statement is a SELECT, which may begin with WITH."""
    # Not cached: what narrows ask has no end, and the texts would fill the memory.
    return statement.startswith("SELECT") or (statement.startswith("WITH") and not _CHANGES.search(statement))


_CHANGES = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b")


def _took_long(rows: Sequence[Any], began: float) -> bool:
    """Whether other work should get a turn after a statement: it found many rows, or took some milliseconds."""
    return len(rows) >= AT_ONCE or time.monotonic() - began > LONGEST


def _is_much(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether a statement that writes these rows should run in a thread."""
    if len(rows) >= AT_ONCE:
        return True
    return sum(len(each) for row in rows for each in row if isinstance(each, str | bytes)) > MUCH_TEXT


@final
class _Cursor(sqlite3.Cursor):
    """A cursor that reads all its rows at once, so that later statements do not change them."""

    connection: FileConnection

    def __init__(self, connection: FileConnection) -> None:
        super().__init__(connection)
        self._rows: list[Any] = []
        self._next = 0
        self.changes_many = False

    def execute(self, statement: str, parameters: Any = ()) -> _Cursor:  # noqa: ANN401  as sqlite3 has it
        connection = self.connection
        if connection.is_hurried and (self.changes_many or _changes_many(statement, parameters)):
            self._wait_for(in_thread(lambda: self._execute(statement, parameters)))
            return self
        began = time.monotonic()
        # Only for a SELECT: stopping any other statement would roll back the whole transaction.
        if connection.is_hurried and _only_reads(statement):
            connection.stop_at = time.monotonic() + SHORT
        try:
            self._execute(statement, parameters)
        except sqlite3.OperationalError as error:
            if not connection.is_hurried or error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            connection.stop_at = math.inf
            self._wait_for(in_thread(lambda: self._execute(statement, parameters), stop=connection.stop))
        finally:
            if connection.is_hurried:
                connection.stop_at = math.inf
        if connection.is_hurried and _took_long(self._rows, began):
            self._wait_for(asyncio.sleep(0))
        return self

    def _wait_for(self, work: Awaitable[object]) -> None:
        """Await something. If the task is cancelled, raise an error of the driver. After a CancelledError, SQLAlchemy
        would close the connection, which other writers share.
        """
        try:
            await_only(work)
        except asyncio.CancelledError:
            self.connection.is_cancelled = True
            raise sqlite3.OperationalError("the task was cancelled") from None

    def _execute(self, statement: str, parameters: Any) -> None:  # noqa: ANN401  as above
        super().execute(statement, parameters)
        self._rows = super().fetchall() if self.description is not None else []
        self._next = 0

    def executemany(self, statement: str, rows: Any) -> _Cursor:  # noqa: ANN401  as above
        write = super().executemany
        if self.connection.is_hurried and len(rows) >= AT_ONCE:
            self._wait_for(in_thread(lambda: write(statement, rows)))
        else:
            write(statement, rows)
        return self

    async def _async_soft_close(self) -> None:
        """Nothing is left to read. SQLAlchemy requires this of the cursors of asynchronous engines."""

    def fetchone(self) -> Any:  # noqa: ANN401  a row
        if self._next == len(self._rows):
            return None
        self._next += 1
        return self._rows[self._next - 1]

    def fetchmany(self, size: int | None = None) -> list[Any]:
        begin = self._next
        self._next = min(begin + (size or self.arraysize), len(self._rows))
        return self._rows[begin : self._next]

    def fetchall(self) -> list[Any]:
        begin, self._next = self._next, len(self._rows)
        return self._rows[begin:] if begin else self._rows


class _ExecutionContext(SQLiteExecutionContext):
    def create_default_cursor(self) -> Any:  # noqa: ANN401  as SQLAlchemy has it
        """A cursor that knows whether its statement was said to change many rows."""
        cursor: Any = super().create_default_cursor()
        cursor.changes_many = self.execution_options.get(CHANGES_MANY, False)
        return cursor

    def create_server_side_cursor(self) -> Any:  # noqa: ANN401  as SQLAlchemy has it
        """A cursor that reads its rows one after another, for results that are too large for memory."""
        await_only(asyncio.sleep(0))  # SQLAlchemy requires that streaming awaits something
        raw: Any = self._dbapi_connection.driver_connection
        return sqlite3.Cursor(raw)


class _Compiler(SQLiteCompiler):
    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        """The text of `with_hint`, which SQLAlchemy's own compiler for SQLite leaves out."""
        return text


class InlineDialect(SQLiteDialect_pysqlite):
    """SQLite for an asynchronous engine, in the thread of the event loop."""

    driver = "inline"
    statement_compiler = _Compiler
    is_async = True
    supports_statement_cache = True
    supports_server_side_cursors = True
    execution_ctx_cls = _ExecutionContext

    # Every engine has its own dialect, and all compile alike. What one has compiled serves the others.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, InlineDialect)

    def __hash__(self) -> int:
        return hash(InlineDialect)

    def connect(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  as SQLAlchemy has it
        own = {"factory": FileConnection, "check_same_thread": False, "cached_statements": PREPARED_STATEMENTS}
        return super().connect(*arguments, **{**options, **own})


_COMPILED: LRUCache[Any, Any] = LRUCache(COMPILED_STATEMENTS)
"""Compiled statements of all engines of the process. The engines for reading and for writing have many in common."""

registry.register("sqlite.inline", __name__, InlineDialect.__name__)


@final
class InlineConnection(DirectConnection):
    """SQLAlchemy's connection. Its statements run where they are awaited, unless they are slow.

    If its task is cancelled, a SELECT in a thread is stopped. Other statements run to their end, since stopping one
    would roll back what others wrote in the same transaction. The task ends after the statement.
    """

    raw: FileConnection
    text_dialect = InlineDialect()

    async def start(self, is_ctxmanager: bool = False) -> InlineConnection:
        await super().start(is_ctxmanager)
        self.raw = (await self.get_raw_connection()).driver_connection  # type: ignore[assignment]
        return self

    async def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:  # noqa: ANN401  as SQLAlchemy has it
        return await self._run(self._proxied.execute, statement, parameters, execution_options=execution_options)

    async def exec_driver_sql(self, statement: str, parameters: Any = None, execution_options: Any = None) -> Any:  # noqa: ANN401  as SQLAlchemy has it
        return await self._run(self._proxied.exec_driver_sql, statement, parameters, execution_options)

    async def ask(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        self.tell_listeners(statement, parameters)
        raw, began = self.raw, time.monotonic()
        if _only_reads(statement):
            raw.stop_at = began + SHORT
        try:
            if _changes_many(statement, parameters):
                return await in_thread(lambda: raw.execute(statement, parameters).fetchall())
            rows = raw.execute(statement, parameters).fetchall()
            if _took_long(rows, began):
                raw.stop_at = math.inf
                await asyncio.sleep(0)
            return rows
        except sqlite3.IntegrityError as error:
            raise IntegrityError(statement, None, error) from None
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            raw.stop_at = math.inf
            return await in_thread(lambda: raw.execute(statement, parameters).fetchall(), stop=raw.stop)
        finally:
            raw.stop_at = math.inf

    async def ask_each(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self.tell_listeners(statement, rows)
        try:
            if _is_much(rows):
                await in_thread(lambda: self.raw.executemany(statement, rows))
            else:
                self.raw.executemany(statement, rows)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(statement, None, error) from None

    async def _run(self, run: Callable[..., Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  as above
        self.raw.is_hurried = True
        try:
            # SQLAlchemy's own methods require that every statement awaits something, but most statements here do not.
            return await greenlet_spawn(run, *arguments, **options)
        except OperationalError:
            if self.raw.is_cancelled:
                raise asyncio.CancelledError from None
            raise
        finally:
            self.raw.is_cancelled = False
            self.raw.is_hurried = False


async def in_thread(work: Callable[[], Result], *, stop: Callable[[], None] | None = None) -> Result:
    """Do the work in a thread. If the task is cancelled, `stop` may end the work early, and the cancellation takes
    effect when the thread no longer uses the connection.
    """
    working = asyncio.get_running_loop().run_in_executor(None, copy_context().run, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        if stop is not None:
            stop()
        while not working.done():
            try:
                await asyncio.wait([working])
            except asyncio.CancelledError:
                continue
        working.exception()  # asyncio would log a failure that nobody looked at, and a stopped SELECT fails
        raise


@final
class InlineEngine(AsyncEngine):
    """An engine that opens a new connection each time. Callers that often need one keep it."""

    _connection_cls = InlineConnection

    def __init__(self, file: str, *, timeout: float) -> None:
        """`file` is an SQLite URI. `timeout` is how many seconds the event loop may wait for a lock."""
        url = URL.create("sqlite+inline", database=file, query={"mode": "rw", "uri": "true"})
        super().__init__(
            create_engine(
                url,
                connect_args={"isolation_level": None, "timeout": timeout},
                poolclass=NullPool,
                execution_options={"compiled_cache": _COMPILED},
                hide_parameters=True,  # a failure is logged, and the parameters may contain a link for signing in
            )
        )

    async def opened(self) -> InlineConnection:
        """A new connection. The caller keeps it and closes it."""
        return await InlineConnection(self).start()


__all__ = ["FileConnection", "InlineConnection", "InlineEngine", "in_thread"]
