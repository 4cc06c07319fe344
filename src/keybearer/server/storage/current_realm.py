"""The organization, found by one query for all requests that ask at the same moment."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import lru_cache
from typing import Any, final

from sqlalchemy import Integer, literal_column, select

from keybearer.server.domain.realms import Realm
from keybearer.server.storage import realms as realm_rows
from keybearer.server.storage.engine import Database
from keybearer.server.storage.instants import from_microseconds
from keybearer.server.storage.shared_query import SharedQuery
from keybearer.server.storage.tables import realms

ALL = select(realms)
"""All realms. There is at most one."""

_ANYTHING = literal_column("1", Integer)


@final
class CurrentRealm:
    """Finds the organization of this server without a transaction, for requests that need nothing else."""

    def __init__(self, database: Database) -> None:
        self._lookup = database.lookup(ALL, _ANYTHING)
        self._shared: SharedQuery[None, Realm | None] = SharedQuery(self._find)

    def find(self) -> Awaitable[Realm | None]:
        """The organization as it is now, to be awaited. None before set-up. Raises StorageError."""
        return self._shared.answer(None)

    async def _find(self, questions: Sequence[None]) -> Sequence[Realm | None]:
        rows, _ = await self._lookup.fetch([1])
        return [realm_of(*rows[0]) if rows else None] * len(questions)


@lru_cache(maxsize=16)
def realm_of(*columns: Any) -> Realm:  # noqa: ANN401  a tuple of the driver's values
    """The realm with these columns, all of which every query reads. Only the decoding is cached."""
    *others, created_at = columns
    return realm_rows.from_row((*others, from_microseconds(created_at)))
