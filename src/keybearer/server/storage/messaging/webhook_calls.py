"""Calls of outgoing webhooks that wait to be made. They are written in the transaction of their message."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.messaging.tables import webhook_calls
from keybearer.server.storage.tables import accounts


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """A waiting call. `trigger` is `mention` or `direct_message`. The owner of a bot without one is the bot itself."""

    id: int
    bot_id: int
    owner_id: int
    message_id: int
    trigger: str
    attempts: int


async def add(
    connection: AsyncConnection, bot_ids: Iterable[int], message_id: int, *, trigger: str, at: datetime
) -> None:
    """Call the webhooks of several bots with a message."""
    rows = [{"bot_id": each, "message_id": message_id, "trigger": trigger, "next_attempt_at": at} for each in bot_ids]
    if rows:
        await connection.execute(insert(webhook_calls), rows)


_OWNER = func.coalesce(accounts.c.bot_owner_id, accounts.c.id)


async def find_due(
    connection: AsyncConnection, now: datetime, *, besides_owners: Collection[int] = (), limit: int
) -> Sequence[WebhookCall]:
    """Calls that are due, oldest first, without those of some owners."""
    rows = await connection.execute(
        select(webhook_calls, _OWNER.label("owner_id"))
        .join(accounts, accounts.c.id == webhook_calls.c.bot_id)
        .where(webhook_calls.c.next_attempt_at <= now, _OWNER.not_in(besides_owners))
        .order_by(webhook_calls.c.id)
        .limit(limit)
    )
    return [WebhookCall(row.id, row.bot_id, row.owner_id, row.message_id, row.trigger, row.attempts) for row in rows]


async def count(connection: AsyncConnection) -> int:
    """How many calls are waiting."""
    return (await connection.execute(select(func.count()).select_from(webhook_calls))).scalar_one()


async def claim(connection: AsyncConnection, call: WebhookCall, *, until: datetime) -> bool:
    """Reserve a call. False if another worker was faster. After `until` it is due again."""
    result = await connection.execute(
        update(webhook_calls)
        .where(webhook_calls.c.id == call.id, webhook_calls.c.attempts == call.attempts)
        .values(attempts=call.attempts + 1, next_attempt_at=until)
        .returning(webhook_calls.c.id)
    )
    return result.first() is not None


async def postpone(connection: AsyncConnection, call_id: int, *, until: datetime) -> None:
    """Postpone a call that failed."""
    await connection.execute(update(webhook_calls).where(webhook_calls.c.id == call_id).values(next_attempt_at=until))


async def remove(connection: AsyncConnection, call_id: int) -> None:
    """Delete a call that is done."""
    await connection.execute(delete(webhook_calls).where(webhook_calls.c.id == call_id))
