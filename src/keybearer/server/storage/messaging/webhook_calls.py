"""Calls of outgoing webhooks that wait to be made. They are written in the transaction of their message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.limits import Cap
from keybearer.server.storage.dialect import among
from keybearer.server.storage.messaging.tables import webhook_calls
from keybearer.server.storage.tables import accounts


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """A waiting call. `trigger` is `mention`, `direct_message` or `NOT_CALLED`. A bot without an owner is its own."""

    id: int
    bot_id: int
    owner_id: int
    message_id: int
    trigger: str
    attempts: int


NOT_CALLED = "not called"
"""The trigger of a call that is not made because too many others wait: the conversation and the owner are told."""

_OWNER = func.coalesce(accounts.c.bot_owner_id, accounts.c.id)


async def add(
    connection: AsyncConnection, bots: Sequence[Account], message_id: int, *, trigger: str, at: datetime
) -> None:
    """Call the webhooks of several bots with a message.

    A bot for which too many calls wait, or whose owner's bots have too many together, gets one `NOT_CALLED` instead.
    """
    if not bots:
        return
    of_bot, of_owner = await _waiting(connection, {each.person_id for each in bots})
    told = await _told(connection, {each.id for each in bots})
    rows = []
    for bot in bots:
        of_owner[bot.person_id] += 1
        is_called = of_bot[bot.id] < Cap.WEBHOOK_CALLS_OF_BOT.most and of_owner[bot.person_id] <= Cap.WEBHOOK_CALLS.most
        if is_called or bot.id not in told:
            kind = trigger if is_called else NOT_CALLED
            rows.append({"bot_id": bot.id, "message_id": message_id, "trigger": kind, "next_attempt_at": at})
    if rows:
        await connection.execute(insert(webhook_calls), rows)


async def _waiting(connection: AsyncConnection, owner_ids: Collection[int]) -> tuple[Counter[int], Counter[int]]:
    """How many calls wait for each bot of these owners, and for all bots of each owner."""
    statement = (
        select(accounts.c.id, _OWNER.label("owner_id"), func.count().label("number"))
        .select_from(accounts.join(webhook_calls, webhook_calls.c.bot_id == accounts.c.id))
        .where(among(accounts.c.bot_owner_id, owner_ids) | among(accounts.c.id, owner_ids))
        .group_by(accounts.c.id)
    )
    of_bot: Counter[int] = Counter()
    of_owner: Counter[int] = Counter()
    for row in await connection.execute(statement):
        of_bot[row.id] = row.number
        of_owner[row.owner_id] += row.number
    return of_bot, of_owner


async def _told(connection: AsyncConnection, bot_ids: Collection[int]) -> set[int]:
    """Those of some bots that have a `NOT_CALLED` already."""
    wanted = (among(webhook_calls.c.bot_id, bot_ids), webhook_calls.c.trigger == NOT_CALLED)
    return set((await connection.execute(select(webhook_calls.c.bot_id).where(*wanted))).scalars())


async def find_due(
    connection: AsyncConnection, now: datetime, *, besides_owners: Collection[int] = (), limit: int
) -> Sequence[WebhookCall]:
    """Calls that are due, oldest first, without those of some owners. What is not called comes before."""
    rows = await connection.execute(
        select(webhook_calls, _OWNER.label("owner_id"))
        .join(accounts, accounts.c.id == webhook_calls.c.bot_id)
        .where(webhook_calls.c.next_attempt_at <= now, _OWNER.not_in(besides_owners))
        .order_by((webhook_calls.c.trigger == NOT_CALLED).desc(), webhook_calls.c.id)
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
