"""The database: opened once, read and written in transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, final

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from keybearer.errors import KeybearerError, StorageError
from keybearer.server.storage import schema
from keybearer.server.storage.driver import Driver, Lookup, driver_for


@final
class Database:
    """An open database. Made by `open`; it belongs to the event loop that opened it."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._reader = driver.reader()
        self._writer = driver.writer()
        self._turn: asyncio.Lock | None = asyncio.Lock() if driver.writers_queue else None
        self._writing: set[asyncio.Task[Any] | None] = set()
        self._lookups: list[Lookup] = []

    @classmethod
    async def open(cls, url: str) -> Database:
        """Open the database at `sqlite:///path` or `postgresql://…`.

        Raises StorageError where it cannot be reached or does not let us in, SchemaError where `keybearer.server.
        storage.schema.migrate` has not been called or a newer program has migrated it.
        """
        database = cls(driver_for(url))
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
        async with self._transaction(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: all of it when the block ends, nothing if it raises.

        On SQLite writers come one after another, in the order in which they asked. Raises StorageError where the
        database fails, RuntimeError inside another `write` of the same task, which would wait for itself.
        """
        task = asyncio.current_task()
        if task in self._writing:
            raise RuntimeError("write() inside write()")
        self._writing.add(task)
        try:
            async with AsyncExitStack() as stack:
                if self._turn is not None:
                    await stack.enter_async_context(self._turn)
                yield await stack.enter_async_context(self._transaction(self._writer))
        finally:
            self._writing.discard(task)

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with engine.begin() as connection:
                yield connection
        except (KeybearerError, asyncio.CancelledError):
            raise
        except Exception as error:
            failure = self._driver.explain(error)
            if failure is None:
                raise
            raise failure from error

    def lookup(self, statement: Select[Any], by: ColumnElement[Any]) -> Lookup:
        """A question put to the driver directly, for the hot path; closed with the database."""
        lookup = self._driver.lookup(statement, by)
        self._lookups.append(lookup)
        return lookup

    async def close(self) -> None:
        """Let go of every connection."""
        for lookup in self._lookups:
            await lookup.close()
        await self._reader.dispose()
        await self._writer.dispose()


__all__ = ["Database", "StorageError"]
