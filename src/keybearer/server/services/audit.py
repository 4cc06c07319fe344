"""Reading the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditRecord
from keybearer.server.domain.visibility import may_see_origin
from keybearer.server.services.context import Context
from keybearer.server.storage import accounts, audit
from keybearer.server.storage.audit import AuditFilter

ANY = AuditFilter()
"""The newest records of all kinds."""


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """An audit record with the accounts it names, None where there is none."""

    record: AuditRecord
    actor: Account | None
    subject: Account | None

    def without_origin(self) -> NamedRecord:
        """The same, not saying from where and by which program it was done."""
        return replace(self, record=replace(self.record, address="", client=""))


async def find_for_operator(context: Context, wanted: AuditFilter) -> Sequence[NamedRecord]:
    """The records that fit, the newest first, with their accounts."""
    async with context.reading() as connection:
        return await _find(connection, wanted)


async def find_all(context: Context, caller: Caller, wanted: AuditFilter) -> Sequence[NamedRecord]:
    """The same, for callers whose rule allows the whole log."""
    async with context.viewing(caller) as view:
        return await _find(view.connection, wanted)


async def find_own(context: Context, caller: Caller, wanted: AuditFilter = ANY) -> Sequence[NamedRecord]:
    """What happened to the caller's account and bots; `wanted.concerning` is ignored.

    From where others did it is left out where the caller may not see that.
    """
    async with context.viewing(caller) as view:
        owned = await accounts.find_bots_of(view.connection, view.actor.id)
        concerning = [view.actor.id, *(bot.id for bot in owned)]
        found = await _find(view.connection, replace(wanted, concerning=concerning))
        return [each if may_see_origin(view.actor.account, each.actor) else each.without_origin() for each in found]


async def _find(connection: AsyncConnection, wanted: AuditFilter) -> Sequence[NamedRecord]:
    records = await audit.find(connection, wanted)
    named = await accounts.find_by_ids(connection, {id_ for r in records for id_ in (r.actor_id, r.subject_id) if id_})
    return [NamedRecord(r, named.get(r.actor_id or 0), named.get(r.subject_id or 0)) for r in records]
