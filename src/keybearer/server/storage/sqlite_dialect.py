"""SQLAlchemy on `sqlite3` without threads: a statement runs in the event loop, where it is awaited, unless it is slow
(`sqlite_driver.py`).
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, final

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

from keybearer.server.storage.dialect import CHANGES_MANY
from keybearer.server.storage.direct import DirectConnection
from keybearer.server.storage.sqlite_driver import (
    SHORT,
    FileConnection,
    in_thread,
    is_long_change,
    is_much,
    only_reads,
    took_long,
)

COMPILED_STATEMENTS = 1024
"""Statements that SQLAlchemy has compiled, which a process caches."""

PREPARED_STATEMENTS = 256
"""Statements that SQLite has prepared, which a connection caches. A long one takes some 20 kB."""


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
        if only_reads(statement):
            raw.stop_at = began + SHORT
        try:
            if is_long_change(statement, parameters):
                return await in_thread(lambda: raw.execute(statement, parameters).fetchall())
            rows = raw.execute(statement, parameters).fetchall()
            if took_long(rows, began):
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
            if is_much(rows):
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
