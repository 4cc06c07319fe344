"""A database that lets a test do something at a moment between two transactions of a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.fair_turns import Whose
from keybearer.server.storage.engine import Database


class WatchedDatabase:
    """A database that calls `meanwhile`, once, at the end of the first reading transaction in which `task` reads a
    table.
    """

    def __init__(self, database: Database, table: str) -> None:
        self._database = database
        self._table = table
        self.write, self.lookup = database.write, database.lookup
        self.task: asyncio.Task[Any] | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.readers: list[Whose] = []
        """For whom `task` has begun to read."""

    @asynccontextmanager
    async def read(self, whose: Whose = None) -> AsyncIterator[AsyncConnection]:
        """A transaction, as those of `Database`."""
        if asyncio.current_task() is self.task:
            self.readers.append(whose)
        async with self._database.read(whose) as connection:
            is_watched = False

            def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
                nonlocal is_watched
                is_watched |= asyncio.current_task() is self.task and f"FROM {self._table}" in statement

            event.listen(Engine, "before_cursor_execute", note)
            try:
                yield connection
            finally:
                event.remove(Engine, "before_cursor_execute", note)
            if is_watched and self.meanwhile is not None:
                meanwhile, self.meanwhile = self.meanwhile, None
                await meanwhile()
