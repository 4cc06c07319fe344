"""Writers of an SQLite file that arrive together share one commit. Each gets the same result as with its own.

Most of the time of a small transaction is spent waiting for the disk in its commit. So the writers that arrive while a
transaction is in progress run one after another in the next one, each in a savepoint of its own:

- Members never overlap, and get fair turns. Each reads what those before it have written.
- A member gets its result, even a refusal, only after the commit: if that fails, what it has read is not stored.
- If a member raises, only its own savepoint is undone. If the commit fails, all members fail.
- If a member is cancelled while it works, its savepoint is undone. If it is cancelled later, what it wrote stays.
- A transaction takes 32 members at most, and no further one after five milliseconds.
- The lock of the file is tried without waiting, and again a little later, so that the event loop never waits for a
  writer in another process.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.fair_turns import FairTurns, Whose
from keybearer.server.storage.sqlite_dialect import InlineConnection, InlineEngine

MOST_MEMBERS = 32
LONGEST = 0.005
"""Seconds after which a transaction takes no further member."""

AGAIN_AFTER = 0.001
"""Seconds between two tries for the lock of the file."""


async def begin_immediately(raw: sqlite3.Connection, until: float) -> None:
    """Begin a transaction that writes, as soon as no other process is writing.

    Raises SQLite's error if that does not happen before `until`, in the time of `time.monotonic`.
    """
    while True:
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        else:
            return
        await asyncio.sleep(AGAIN_AFTER)


@final
class _Group:
    """One transaction and the members that share it."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self._begun_at = time.monotonic()
        self._members = 0
        self._changes = raw.total_changes
        self._ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    @property
    def is_full(self) -> bool:
        return self._members >= MOST_MEMBERS or time.monotonic() - self._begun_at > LONGEST

    @property
    def has_changed_rows(self) -> bool:
        return self.raw.total_changes != self._changes

    def begin_member(self) -> None:
        self._members += 1
        self.raw.execute("SAVEPOINT member")

    def end_member(self, *, keep: bool) -> None:
        if not keep:
            self.raw.execute("ROLLBACK TO member")
        self.raw.execute("RELEASE member")

    def end(self, failure: BaseException | None) -> None:
        """Tell all members the outcome of the transaction."""
        self._ended.set_result(failure)

    async def outcome(self) -> None:
        """Wait until the transaction has ended. Raises its error if it failed."""
        failure = await asyncio.shield(self._ended)
        if failure is not None:
            raise failure.with_traceback(None)


@final
class SharedCommit:
    """The writers of this process: their turns, and the transactions that they share."""

    def __init__(self, engine: InlineEngine, patience: float) -> None:
        """`patience` is how many seconds a writer waits until it may begin."""
        self._engine = engine
        self._patience = patience
        self._connection: InlineConnection | None = None
        self._is_broken = False
        self._group: _Group | None = None
        self._turns = FairTurns(1)
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="commit")

    @asynccontextmanager
    async def begin(self, whose: Whose = None) -> AsyncIterator[AsyncConnection]:
        """A transaction as its members see it: the changes of the block are written as a whole or not at all."""
        until = time.monotonic() + self._patience
        await self._turns.take(whose)
        try:
            connection = await self._opened()
            if self._group is None:
                await begin_immediately(connection.raw, until)
                self._group = _Group(connection.raw)
            group = self._group
            group.begin_member()
        except BaseException:
            self._pass_turn()
            raise
        try:
            yield connection
        except Exception as error:
            self._end_turn(group, error)
            await group.outcome()
            raise
        except BaseException as error:
            self._end_turn(group, error)
            raise
        self._end_turn(group, None)
        await group.outcome()

    @property
    def in_use(self) -> int:
        """1 while somebody writes, else 0."""
        return self._turns.in_use

    async def _opened(self) -> InlineConnection:
        if self._is_broken and self._connection is not None:
            await self._connection.invalidate()
            await self._connection.close()
            self._connection, self._is_broken = None, False
        if self._connection is None:
            self._connection = await self._engine.opened()
        return self._connection

    def _pass_turn(self) -> None:
        """Give the turn to the next member. If there is none, commit what was written."""
        if self._group is None:
            self._turns.give_back()
        elif not self._turns.pass_on():
            self._commit(self._group)

    def _end_turn(self, group: _Group, error: BaseException | None) -> None:
        """End the turn of a member, which failed with this error or did not fail."""
        try:
            group.end_member(keep=error is None)
        except sqlite3.Error as lost:
            # SQLite rolls back a whole transaction if, for example, the disk is full.
            cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else lost
            self._finish(group, cause)
            return
        if group.is_full:
            self._commit(group)
        else:
            self._pass_turn()

    def _commit(self, group: _Group) -> None:
        """Commit in a thread. The turn is kept until that is done."""
        if not group.has_changed_rows:
            # There is nothing to wait for, unless somebody changed the schema, which does not show in a count.
            try:
                group.raw.commit()
            except sqlite3.Error as error:
                self._finish(group, error)
            else:
                self._finish(group, None)
            return
        committing = asyncio.get_running_loop().run_in_executor(self._committer, group.raw.commit)
        committing.add_done_callback(lambda done: self._finish(group, done.exception()))

    def _finish(self, group: _Group, failure: BaseException | None) -> None:
        if failure is not None:
            self._undo(group.raw)
        self._group = None
        group.end(failure)
        self._pass_turn()

    def _undo(self, raw: sqlite3.Connection) -> None:
        """Roll back. The next writer gets a new connection if this one cannot be used any more."""
        try:
            if raw.in_transaction:
                raw.rollback()
        except sqlite3.Error:
            self._is_broken = True

    async def dispose(self) -> None:
        """Close the connection after the last commit."""
        await self._turns.take(None)
        try:
            if self._connection is not None:
                await self._connection.close()
                self._connection = None
        finally:
            self._pass_turn()
            self._committer.shutdown(wait=False)
