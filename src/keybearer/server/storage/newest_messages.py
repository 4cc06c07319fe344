"""The newest message of an account: asked at every `GET users/me`, so requests that come together share one query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from sqlalchemy import func, select

from keybearer.server.storage.engine import Database
from keybearer.server.storage.message_tables import copies
from keybearer.server.storage.shared_query import SharedQuery


@final
class NewestMessages:
    """Looks up newest messages, those of several accounts at once."""

    def __init__(self, database: Database) -> None:
        statement = select(copies.c.account_id, func.max(copies.c.message_id)).group_by(copies.c.account_id)
        self._lookup = database.lookup(statement, copies.c.account_id)
        self._shared = SharedQuery(self._find)

    async def find(self, account_id: int) -> int:
        """The id of the newest message that the account was sent; -1 where there is none. Raises StorageError."""
        return await self._shared.answer(account_id)

    async def _find(self, account_ids: Sequence[int]) -> Sequence[int]:
        newest: dict[int, int] = {row[0]: row[1] for row in await self._lookup.fetch(account_ids)}
        return [newest.get(account_id, -1) for account_id in account_ids]
