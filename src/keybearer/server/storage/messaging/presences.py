"""Presences and statuses as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.messaging.presences import Presence, Status
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import upsert
from keybearer.server.storage.messaging.tables import presences, statuses
from keybearer.server.storage.prepared import Prepared


async def note(connection: AsyncConnection, account_id: int, *, at: datetime, is_active: bool, client: str) -> None:
    """Record that an account is present, and whether the person is active."""
    values = {"account_id": account_id, "seen_at": at, "client": client}
    await upsert(connection, presences, {**values, "active_at": at} if is_active else values, key=["account_id"])


async def find(connection: AsyncConnection, account_id: int) -> Presence | None:
    """When an account was last present. None if it never was."""
    row = (await connection.execute(select(presences).where(presences.c.account_id == account_id))).first()
    return None if row is None else Presence(**row._mapping)


_AWAY = select(statuses.c.account_id).where(statuses.c.is_away)
_PRESENT = Prepared(
    select(presences)
    .where(presences.c.seen_at >= bindparam("since"), presences.c.account_id.not_in(_AWAY))
    .order_by(presences.c.account_id)
)


async def find_all(connection: AsyncConnection, since: datetime) -> Sequence[Presence]:
    """The accounts that were present since then, without those that have set themselves away."""
    return await paced(lambda columns: Presence(**columns), await _PRESENT.records(connection, since=since))


async def set_status(connection: AsyncConnection, status: Status) -> None:
    """Write an account's status. An empty status is deleted."""
    if not (status.text or status.emoji_name or status.is_away):
        await connection.execute(delete(statuses).where(statuses.c.account_id == status.account_id))
        return
    values = {name: getattr(status, name) for name in Status.__slots__}
    await upsert(connection, statuses, values, key=["account_id"])


async def find_status(connection: AsyncConnection, account_id: int) -> Status:
    """An account's status."""
    row = (await connection.execute(select(statuses).where(statuses.c.account_id == account_id))).first()
    return Status(account_id) if row is None else Status(**row._mapping)


_STATUSES = Prepared(select(statuses))


async def find_statuses(connection: AsyncConnection) -> Sequence[Status]:
    """All accounts that have a status."""
    return await paced(lambda columns: Status(**columns), await _STATUSES.records(connection))
