"""Reads the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import final

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import StorageError
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditRecord
from keybearer.server.domain.visibility import may_see_origin
from keybearer.server.services.background import SLICE
from keybearer.server.services.context import Context
from keybearer.server.storage import accounts, audit
from keybearer.server.storage.audit import AuditFilter

LOOK_EVERY = 1.0
MISSED_FOR = timedelta(minutes=15)
"""How long a transaction may take, during which its records stay hidden while later ones are visible."""

LONG_AGO = 1000
"""How many ids before the newest are looked up again if they are missing."""

ANY = AuditFilter()
"""The newest records of each kind."""


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """An audit record with the accounts that it names, None if it names none."""

    record: AuditRecord
    actor: Account | None
    subject: Account | None

    def without_origin(self) -> NamedRecord:
        """The same record without the address and the program from which it was done."""
        return replace(self, record=replace(self.record, address="", client=""))


async def find_for_operator(context: Context, wanted: AuditFilter) -> Sequence[NamedRecord]:
    """The records that match, newest first, with their accounts."""
    async with context.reading() as connection:
        return await _find(connection, wanted)


async def find_all(context: Context, caller: Caller, wanted: AuditFilter) -> Sequence[NamedRecord]:
    """The same, for callers whose rule allows the whole log."""
    async with context.viewing(caller) as view:
        return await _find(view.connection, wanted)


async def find_own(context: Context, caller: Caller, wanted: AuditFilter = ANY) -> Sequence[NamedRecord]:
    """What happened to the caller's account and bots; `wanted.concerning` is ignored.

    The address from which others did it is left out if the caller may not see it.
    """
    async with context.viewing(caller) as view:
        found = await _find(view.connection, replace(wanted, concerning=None, of_person=view.actor.id))
        return [each if may_see_origin(view.actor.account, each.actor) else each.without_origin() for each in found]


async def follow(context: Context, wanted: AuditFilter) -> AsyncIterator[NamedRecord]:
    """The records that match, oldest first, and then each new one, until cancelled. None is left out.

    While the database cannot be used, it waits.
    """
    async with context.reading() as connection:
        earlier = await _find(connection, wanted)
        tail = await _Tail.begin(connection, context.clock())
    for record in reversed(earlier):
        yield record
    while True:
        found: Sequence[NamedRecord] = ()
        try:
            async with context.reading() as connection:
                ids = await tail.advance(connection, context.clock())
                if ids:
                    found = await _find(connection, replace(wanted, ids=ids, limit=len(ids)))
        except StorageError:  # the log reports it once
            ids = ()
        for record in reversed(found):
            yield record
        if not ids:
            await asyncio.sleep(LOOK_EVERY)


@final
class _Tail:
    """The end of the log, as far as it has been read.

    A record's id is taken before its transaction is committed, so it may become visible after a record with a larger
    id. A missing id is therefore looked up again, for as long as a transaction may take.
    """

    def __init__(self, newest: int, missing: Iterable[int], now: datetime) -> None:
        self._newest = newest
        self._missing = dict.fromkeys(missing, now)

    @classmethod
    async def begin(cls, connection: AsyncConnection, now: datetime) -> _Tail:
        """After the newest record."""
        newest = await audit.newest_id(connection)
        before = max(0, newest - LONG_AGO)
        known = await audit.find_ids(connection, after=before, missing=(), limit=LONG_AGO)
        return cls(newest, set(range(before + 1, newest + 1)).difference(known), now)

    async def advance(self, connection: AsyncConnection, now: datetime) -> Sequence[int]:
        """The ids of records that have become visible since. If there are many, not all of them."""
        ids = await audit.find_ids(connection, after=self._newest, missing=list(self._missing), limit=SLICE)
        end = max([self._newest, *ids])
        skipped = range(max(self._newest + 1, end - LONG_AGO), end)
        self._missing |= dict.fromkeys(skipped, now)
        self._newest = end
        for each, since in list(self._missing.items()):
            if each in ids or now - since > MISSED_FOR:
                del self._missing[each]
        return ids


async def _find(connection: AsyncConnection, wanted: AuditFilter) -> Sequence[NamedRecord]:
    records = await audit.find(connection, wanted)
    named = await accounts.find_by_ids(connection, {id_ for r in records for id_ in (r.actor_id, r.subject_id) if id_})
    return [NamedRecord(r, named.get(r.actor_id or 0), named.get(r.subject_id or 0)) for r in records]
