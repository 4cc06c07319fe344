"""Conversations: who writes direct messages to each other."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.messaging.tables import conversation_members, conversations, messages


async def find_newest(connection: AsyncConnection, account_id: int, *, limit: int) -> Sequence[tuple[int, ...]]:
    """The conversations of an account, each as the ids of all its people. The one with the newest message comes
    first.
    """
    newest = select(func.max(messages.c.id)).where(messages.c.conversation_id == conversations.c.id).scalar_subquery()
    rows = await connection.execute(
        select(func.coalesce(conversations.c.members, conversations.c.members_key).label("members"))
        .join(conversation_members, conversation_members.c.conversation_id == conversations.c.id)
        .where(conversation_members.c.account_id == account_id, newest.is_not(None))
        .order_by(newest.desc())
        .limit(limit)
    )
    return [tuple(map(int, row.members.split(","))) for row in rows]
