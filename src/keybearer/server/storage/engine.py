"""The database: opened once, then read and written in transactions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, final

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import KeybearerError, StorageError
from keybearer.server.domain.fair_turns import Whose
from keybearer.server.metrics import NO_METRICS, Metrics
from keybearer.server.storage import schema
from keybearer.server.storage.driver import Driver, Found, Lookup, Pool, driver_for

QUIET = 10.0
"""Seconds without a failure after which an outage may have ended."""

_log = logging.getLogger(__name__)


@final
class Outage:
    """What the log says about a failing database: one line when an outage begins, and one when it ends.

    An outage ends when nothing has failed for ten seconds and then something succeeds. While only some statements fail,
    others keep succeeding. If writing fails, as on a full disk, successful reads do not end the outage.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing: set[bool] = set()
        """Whether reading transactions (False) and writing transactions (True) currently fail."""
        self._failed_at = 0.0

    def note_failure(self, error: StorageError, *, writing: bool) -> None:
        """Record a failure."""
        if not self._failing:
            _log.error("the database cannot be used, calls are answered with 503: %s", error)
        self._failing.add(writing)
        self._failed_at = self._clock()

    def note_success(self, *, writing: bool) -> None:
        """Record a success. A transaction that wrote has also read."""
        if self._failing and self._clock() - self._failed_at >= QUIET:
            self._failing -= {False, writing}
            if not self._failing:
                _log.warning("the database can be used again")


@final
class _WatchedLookup:
    """A query that is sent to the driver directly. Its failures count as part of an outage."""

    def __init__(self, lookup: Lookup, outage: Outage, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lookup = lookup
        self._outage = outage

    async def fetch(self, values: Sequence[Any]) -> Found:
        began = time.perf_counter()
        try:
            found = await self._lookup.fetch(values)
        except StorageError as error:
            self._outage.note_failure(error, writing=False)
            raise
        finally:
            self._metrics.note_transaction("lookup", time.perf_counter() - began)
        self._outage.note_success(writing=False)
        return found

    async def close(self) -> None:
        await self._lookup.close()


@final
class Database:
    """An open database. It is created by `open` and belongs to the event loop that opened it."""

    def __init__(self, driver: Driver, outage: Outage | None = None, *, metrics: Metrics = NO_METRICS) -> None:
        self._metrics = metrics
        self._driver = driver
        self.outage = outage or Outage()
        self._reader = driver.reader()
        self._writer = driver.writer()
        self._writing: set[asyncio.Task[Any] | None] = set()
        self._lookups: list[Lookup] = []

    @classmethod
    async def open(cls, url: str, outage: Outage | None = None, *, metrics: Metrics = NO_METRICS) -> Database:
        """Open the database at `sqlite:///path` or `postgresql://…`.

        Raises StorageError if it cannot be reached or refuses the connection, SchemaError if
        `keybearer.server.storage.schema.migrate` has not been called or a newer program has migrated it.
        """
        database = cls(driver_for(url), outage, metrics=metrics)
        try:
            async with database.read() as connection:
                await schema.check(connection)
        except BaseException:
            await database.close()
            raise
        return database

    @property
    def dialect_name(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._driver.dialect_name

    @asynccontextmanager
    async def read(self, whose: Whose = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database, waits for no writer and cannot write. Those that wait
        get fair turns, which depend on `whose` they are.

        Raises StorageError if the database fails.
        """
        async with self._transaction(self._reader, whose, writing=False) as connection:
            yield connection

    @asynccontextmanager
    async def write(self, whose: Whose = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: everything when the block ends, nothing if it raises.

        Those that wait get fair turns, which depend on `whose` they are. On SQLite writers run one after another, and
        writers that arrive together share a commit. So the block may end long before this call does, and other tasks of
        this process write in the meantime. Actions that depend on the transaction, such as waking somebody, belong
        after it. Raises StorageError if the database fails, and RuntimeError inside another `write` of the same task,
        which would wait for itself.
        """
        task = asyncio.current_task()
        if task in self._writing:
            raise RuntimeError("write() inside write()")
        self._writing.add(task)
        try:
            async with self._transaction(self._writer, whose, writing=True) as connection:
                yield connection
        finally:
            self._writing.discard(task)

    @asynccontextmanager
    async def _transaction(self, pool: Pool, whose: Whose, *, writing: bool) -> AsyncIterator[AsyncConnection]:
        began = time.perf_counter()
        try:
            async with pool.begin(whose) as connection:
                yield connection
        except (KeybearerError, asyncio.CancelledError):
            raise
        except Exception as error:
            failure = self._driver.explain(error)
            if failure is None:
                raise
            self.outage.note_failure(failure, writing=writing)
            raise failure from error
        finally:
            self._metrics.note_transaction("write" if writing else "read", time.perf_counter() - began)
        self.outage.note_success(writing=writing)

    def lookup(self, statement: Select[Any], by: ColumnElement[Any], beside: Select[Any] | None = None) -> Lookup:
        """A query that is sent to the driver directly, for the hot path. It is closed with the database."""
        lookup = _WatchedLookup(self._driver.lookup(statement, by, beside), self.outage, self._metrics)
        self._lookups.append(lookup)
        return lookup

    def connections_in_use(self) -> Mapping[str, int]:
        """How many connections are in use, for `reader` and `writer`."""
        return {"reader": self._reader.in_use, "writer": self._writer.in_use}

    async def close(self) -> None:
        """Close all connections."""
        for lookup in self._lookups:
            await lookup.close()
        await self._reader.dispose()
        await self._writer.dispose()


__all__ = ["Database", "StorageError"]
