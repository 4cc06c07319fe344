"""The newest message of an account: asked at every `GET users/me`, so requests that come together share one query."""

from __future__ import annotations

import asyncio
from typing import final

from sqlalchemy import func, select

from keybearer.server.storage.engine import Database
from keybearer.server.storage.message_tables import copies


@final
class NewestMessages:
    """Looks up newest messages, those of several accounts at once. A request joins only a query not yet begun."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted: set[int] = set()
        self._next: asyncio.Task[dict[int, int]] | None = None
        self._turn = asyncio.Lock()

    async def find(self, account_id: int) -> int:
        """The id of the newest message that the account was sent; -1 where there is none."""
        self._wanted.add(account_id)
        if self._next is None:
            self._next = asyncio.create_task(self._ask())
        return (await asyncio.shield(self._next)).get(account_id, -1)

    async def _ask(self) -> dict[int, int]:
        async with self._turn:
            self._next, wanted, self._wanted = None, self._wanted, set()
            newest = func.max(copies.c.message_id).label("newest")
            statement = (
                select(copies.c.account_id, newest)
                .where(copies.c.account_id.in_(sorted(wanted)))
                .group_by(copies.c.account_id)
            )
            async with self._database.read() as connection:
                return {row.account_id: row.newest for row in await connection.execute(statement)}
