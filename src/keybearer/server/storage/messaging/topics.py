"""Topics: all messages of one topic, some at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Integer, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.domain.messaging.messages import Message
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among, changing_many, locked
from keybearer.server.storage.messaging.messages import COLUMNS, SOURCE, from_row
from keybearer.server.storage.messaging.tables import copies, messages
from keybearer.server.storage.prepared import Prepared

_ALL = 2**31 - 1
_NEWEST = (
    select(func.max(messages.c.id).label("id"))
    .where(messages.c.channel_id == bindparam("channel_id"))
    .group_by(messages.c.topic_key)
    .subquery()
)
_FOUND = Prepared(
    select(messages.c.topic, messages.c.id)
    .join(_NEWEST, _NEWEST.c.id == messages.c.id)
    .order_by(messages.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


async def find_all(connection: AsyncConnection, channel_id: int, *, limit: int = _ALL) -> Sequence[tuple[str, int]]:
    """The topics of a channel, each with the id of its newest message, newest first, at most `limit`."""
    rows = await _FOUND.rows(connection, channel_id=channel_id, limit=limit)
    return await paced(lambda row: (row[0], row[1]), rows)


async def hold_newest(
    connection: AsyncConnection, channel_id: int, topic: str, *, limit: int, copies_limit: int
) -> Sequence[Message]:
    """The newest messages of a topic, the oldest of them first: fewer if they have more copies than a limit, but always
    at least one. They and their copies are locked until the transaction ends, in the same order as in other
    transactions.
    """
    newest = (
        select(messages.c.id)
        .where(messages.c.channel_id == channel_id, messages.c.topic_key == name_key(topic))
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    ids = await _with_few_copies(connection, (await connection.execute(newest)).scalars().all(), copies_limit)
    await connection.execute(locked(select(messages.c.id).where(among(messages.c.id, ids)).order_by(messages.c.id)))
    held = select(copies.c.account_id).where(among(copies.c.message_id, ids))
    held = locked(held.order_by(copies.c.message_id, copies.c.account_id))
    await connection.execute(select(func.count()).select_from(held.subquery()))
    rows = await connection.execute(
        select(*COLUMNS).select_from(SOURCE).where(among(messages.c.id, ids)).order_by(messages.c.id)
    )
    return [from_row(row) for row in rows]


async def _with_few_copies(connection: AsyncConnection, message_ids: Sequence[int], limit: int) -> Sequence[int]:
    """The first of these messages (newest first) that have at most so many copies together, but at least one of them.

    Counts no further than the limit.
    """
    counted = select(copies.c.message_id).where(among(copies.c.message_id, message_ids))
    counted = counted.order_by(copies.c.message_id.desc()).limit(limit + 1)
    found = (await connection.execute(counted)).scalars().all()
    if len(found) <= limit:
        return message_ids
    return [each for each in message_ids if each > found[-1]] or message_ids[:1]


async def has_messages(connection: AsyncConnection, channel_id: int, topic: str) -> bool:
    """Whether a topic has any messages."""
    wanted = (messages.c.channel_id == channel_id, messages.c.topic_key == name_key(topic))
    return (await connection.execute(select(messages.c.id).where(*wanted).limit(1))).first() is not None


async def remove(connection: AsyncConnection, message_ids: Collection[int]) -> None:
    """Delete messages, with their copies and reactions."""
    await connection.execute(changing_many(delete(messages).where(among(messages.c.id, message_ids))))
