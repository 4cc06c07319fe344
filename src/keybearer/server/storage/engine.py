"""The database: opened once, read and written in transactions."""

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
from keybearer.server.metrics import NO_METRICS, Metrics
from keybearer.server.storage import schema
from keybearer.server.storage.driver import Driver, Found, Lookup, Transactions, driver_for

QUIET = 10.0
"""Seconds without a failure after which an outage may be over."""

_log = logging.getLogger(__name__)


@final
class Outage:
    """What the log says of a database that fails: one line when that begins, and one when it is over.

    It is over when nothing has failed for ten seconds and then something succeeds: while only some statements fail,
    others succeed all the time. Where writing fails, as on a full disk, reading does not end it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing: set[bool] = set()
        """Whether transactions that read (False) and that write (True) fail."""
        self._failed_at = 0.0

    def note_failure(self, error: StorageError, *, writing: bool) -> None:
        """Something failed."""
        if not self._failing:
            _log.error("the database cannot be used, calls are answered with 503: %s", error)
        self._failing.add(writing)
        self._failed_at = self._clock()

    def note_success(self, *, writing: bool) -> None:
        """Something succeeded. What wrote has read as well."""
        if self._failing and self._clock() - self._failed_at >= QUIET:
            self._failing -= {False, writing}
            if not self._failing:
                _log.warning("the database can be used again")


@final
class _WatchedLookup:
    """A question put to the driver directly, whose failures are part of an outage."""

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
    """An open database. Made by `open`; it belongs to the event loop that opened it."""

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

        Raises StorageError where it cannot be reached or does not let us in, SchemaError where `keybearer.server.
        storage.schema.migrate` has not been called or a newer program has migrated it.
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
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database, waits for no writer and cannot write.

        Raises StorageError where the database fails.
        """
        async with self._transaction(self._reader, writing=False) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: all of it when the block ends, nothing if it raises.

        On SQLite writers come one after another, in the order in which they asked, and those who come together share a
        commit: the block may have ended long before this call does, and other tasks of this process write meanwhile.
        What depends on the transaction, such as waking somebody, belongs after it. Raises StorageError where the
        database fails, RuntimeError inside another `write` of the same task, which would wait for itself.
        """
        task = asyncio.current_task()
        if task in self._writing:
            raise RuntimeError("write() inside write()")
        self._writing.add(task)
        try:
            async with self._transaction(self._writer, writing=True) as connection:
                yield connection
        finally:
            self._writing.discard(task)

    @asynccontextmanager
    async def _transaction(self, transactions: Transactions, *, writing: bool) -> AsyncIterator[AsyncConnection]:
        began = time.perf_counter()
        try:
            async with transactions.begin() as connection:
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
        """A question put to the driver directly, for the hot path; closed with the database."""
        lookup = _WatchedLookup(self._driver.lookup(statement, by, beside), self.outage, self._metrics)
        self._lookups.append(lookup)
        return lookup

    def connections_in_use(self) -> Mapping[str, int]:
        """How many connections are in use, by `reader` and `writer`."""
        return {"reader": self._reader.in_use, "writer": self._writer.in_use}

    async def close(self) -> None:
        """Let go of every connection."""
        for lookup in self._lookups:
            await lookup.close()
        await self._reader.dispose()
        await self._writer.dispose()


__all__ = ["Database", "StorageError"]
