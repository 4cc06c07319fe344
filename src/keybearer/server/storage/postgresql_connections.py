"""Connections to PostgreSQL that are kept open, and the transactions on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import final

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.fair_turns import FairTurns, Whose
from keybearer.server.storage.postgresql_dialect import PostgreSQLConnection, PostgreSQLEngine

WAIT_AT_MOST = 30.0
"""Seconds that a transaction waits for a connection."""

ANSWERED_WITHIN = 5.0
"""Seconds in which the server must begin a transaction, or roll it back, or else the connection is closed. asyncpg
itself would wait for a rollback for ever: the statement that took too long must end first, and a server that stopped
answering never ends it.
"""


@final
class Connections:
    """Connections that are kept open. Each has one transaction at a time.

    Transactions begin and end with asyncpg directly. SQLAlchemy's pool and its transactions take as long as several
    statements. Its connections therefore commit each statement by themselves, as far as they know.
    """

    def __init__(self, engine: PostgreSQLEngine, begin: str, most: int) -> None:
        self._engine = engine
        self._begin = begin
        self._turns = FairTurns(most)
        self._idle: list[PostgreSQLConnection] = []
        self._is_disposed = False

    @asynccontextmanager
    async def begin(self, whose: Whose = None) -> AsyncIterator[AsyncConnection]:
        """A transaction. Raises SQLAlchemy's TimeoutError if no connection becomes free in time."""
        try:
            async with asyncio.timeout(WAIT_AT_MOST):
                await self._turns.take(whose)
        except TimeoutError:
            raise PoolTimeout("all connections are in use") from None
        try:
            connection = await self._connected()
        except BaseException:
            self._turns.give_back()
            raise
        try:
            await connection.raw.execute(self._begin, timeout=ANSWERED_WITHIN)
            yield connection
            await _commit(connection)
        except GeneratorExit:  # nothing can be awaited
            connection.raw.terminate()
            self._turns.give_back()
            raise
        except BaseException:
            # A caller that hangs up cancels this task, perhaps several times.
            await asyncio.shield(self._roll_back(connection))
            raise
        try:
            await self._keep(connection)
        finally:
            self._turns.give_back()

    @property
    def in_use(self) -> int:
        """How many connections are in use."""
        return self._turns.in_use

    async def _connected(self) -> PostgreSQLConnection:
        """An open connection. SQLAlchemy's own check would ask the server; the socket tells the same."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.raw.has_ended():
                return connection
            await _close(connection)
        opened = await self._engine.connect()
        assert isinstance(opened, PostgreSQLConnection)
        opened.has_begun = True
        return opened

    async def _roll_back(self, connection: PostgreSQLConnection) -> None:
        """End a transaction that failed, and give its turn back. Whatever happens, no transaction stays open."""
        has_ended = False
        try:
            with suppress(Exception):  # the error that the caller gets says more
                async with asyncio.timeout(ANSWERED_WITHIN):
                    await connection.raw.execute("ROLLBACK")
                has_ended = True
        finally:
            await (self._keep(connection) if has_ended else _close(connection))
            self._turns.give_back()

    async def _keep(self, connection: PostgreSQLConnection) -> None:
        if self._is_disposed or connection.invalidated:
            await _close(connection)
        else:
            self._idle.append(connection)

    async def dispose(self) -> None:
        """Close the connections: the idle ones at once, and each of the others after its transaction."""
        self._is_disposed = True
        while self._idle:
            await _close(self._idle.pop())
        await self._engine.dispose()


async def _commit(connection: PostgreSQLConnection) -> None:
    # PostgreSQL answers ROLLBACK, and no error, if a statement has failed and the transaction went on regardless.
    if await connection.raw.execute("COMMIT") != "COMMIT":
        raise RuntimeError("a statement of this transaction failed, so nothing was written")


async def _close(connection: PostgreSQLConnection) -> None:
    connection.raw.terminate()  # nothing is left to say, and the other end may be gone
    with suppress(Exception):
        await connection.close()
