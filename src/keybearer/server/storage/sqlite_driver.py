"""Connections and cursors of `sqlite3` whose statements run in the event loop, unless they are slow.

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

from sqlalchemy.util import await_only

from keybearer.server.domain.pacing import AT_ONCE, LONGEST

SHORT = 0.02
"""Seconds that a SELECT may take in the event loop."""

STEPS = 4000
"""Steps of SQLite's virtual machine between two looks at the clock: some ten microseconds, unless they read texts."""

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

    def cursor(self, _factory: object = None) -> FileCursor:  # type: ignore[override]
        return super().cursor(FileCursor)  # type: ignore[arg-type]


def is_long_change(statement: str, parameters: Any) -> bool:  # noqa: ANN401  as sqlite3 has them
    """Whether a statement changes the rows of a long list, which is one text among its parameters. It cannot be stopped
    after it has begun.
    """
    return statement.startswith(("UPDATE", "DELETE")) and any(
        isinstance(each, str) and len(each) > LONG_LIST for each in parameters
    )


def only_reads(statement: str) -> bool:
    """Whether a statement is a SELECT, which may begin with WITH."""
    # Not cached: what narrows ask has no end, and the texts would fill the memory.
    return statement.startswith("SELECT") or (statement.startswith("WITH") and not _CHANGES.search(statement))


_CHANGES = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b")


def took_long(rows: Sequence[Any], began: float) -> bool:
    """Whether other work should get a turn after a statement: it found many rows, or took some milliseconds."""
    return len(rows) >= AT_ONCE or time.monotonic() - began > LONGEST


def is_much(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether a statement that writes these rows should run in a thread."""
    if len(rows) >= AT_ONCE:
        return True
    return sum(len(each) for row in rows for each in row if isinstance(each, str | bytes)) > MUCH_TEXT


@final
class FileCursor(sqlite3.Cursor):
    """A cursor that reads all its rows at once, so that later statements do not change them."""

    connection: FileConnection

    def __init__(self, connection: FileConnection) -> None:
        super().__init__(connection)
        self._rows: list[Any] = []
        self._next = 0
        self.changes_many = False

    def execute(self, statement: str, parameters: Any = ()) -> FileCursor:  # noqa: ANN401  as sqlite3 has it
        connection = self.connection
        if connection.is_hurried and (self.changes_many or is_long_change(statement, parameters)):
            self._wait_for(in_thread(lambda: self._execute(statement, parameters)))
            return self
        began = time.monotonic()
        # Only for a SELECT: stopping any other statement would roll back the whole transaction.
        if connection.is_hurried and only_reads(statement):
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
        if connection.is_hurried and took_long(self._rows, began):
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

    def executemany(self, statement: str, rows: Any) -> FileCursor:  # noqa: ANN401  as above
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
