"""Reading the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditRecord
from keybearer.server.services.context import Context
from keybearer.server.storage import accounts, audit
from keybearer.server.storage.audit import AuditFilter

ANY = AuditFilter()
"""The newest records, whatever they tell of."""


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """An audit record with the accounts it names, None where there is none."""

    record: AuditRecord
    actor: Account | None
    subject: Account | None


async def find(context: Context, realm_id: int, wanted: AuditFilter) -> Sequence[NamedRecord]:
    """The records that fit, the newest first, with their accounts."""
    async with context.reading() as connection:
        records = await audit.find(connection, wanted)
        everybody = {account.id: account for account in await accounts.find_all(connection, realm_id)}
    return [NamedRecord(r, everybody.get(r.actor_id or 0), everybody.get(r.subject_id or 0)) for r in records]


async def find_own(context: Context, caller: Caller, wanted: AuditFilter = ANY) -> Sequence[NamedRecord]:
    """What happened to the actor's account and bots, whoever did it; `wanted.concerning` is not looked at."""
    async with context.viewing(caller) as view:
        connection, actor = view.connection, view.actor
        owned = await accounts.find_bots_of(connection, actor.id)
    concerning = [caller.id, *(bot.id for bot in owned)]
    return await find(context, caller.account.realm_id, replace(wanted, concerning=concerning))
