"""Reads an SQLite file through a few connections that stay open. Each sees one state of the file at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import final

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.fair_turns import FairTurns, Whose
from keybearer.server.storage.sqlite_dialect import InlineConnection, InlineEngine

READERS = 4
"""Transactions that read at the same time. They overlap only while one of them waits for a thread or takes turns."""


@final
class Readers:
    """Read transactions on connections that are opened when they are first needed."""

    def __init__(self, engine: InlineEngine) -> None:
        self._engine = engine
        self._turns = FairTurns(READERS)
        self._free: list[InlineConnection] = []

    @asynccontextmanager
    async def begin(self, whose: Whose = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the file."""
        await self._turns.take(whose)
        try:
            connection = self._free.pop() if self._free else await self._engine.opened()
            try:
                connection.raw.execute("BEGIN")
                yield connection
                connection.raw.rollback()
            except BaseException:
                await connection.close()
                raise
            self._free.append(connection)
        finally:
            self._turns.give_back()

    @property
    def in_use(self) -> int:
        """How many connections are in use."""
        return self._turns.in_use

    async def dispose(self) -> None:
        """Close the connections."""
        while self._free:
            await self._free.pop().close()
