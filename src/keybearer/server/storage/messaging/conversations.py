"""Conversations: who writes direct messages to each other."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.messaging.tables import conversation_members, conversations, messages

_MEMBERS = func.coalesce(conversations.c.members, conversations.c.members_key).label("members")


async def find_newest(
    connection: AsyncConnection, account_id: int, *, limit: int
) -> Sequence[tuple[int, tuple[int, ...]]]:
    """The conversations of an account, each as its id and the ids of all its people. The one with the newest message
    comes first.
    """
    newest = select(func.max(messages.c.id)).where(messages.c.conversation_id == conversations.c.id).scalar_subquery()
    rows = await connection.execute(
        select(conversations.c.id, _MEMBERS)
        .join(conversation_members, conversation_members.c.conversation_id == conversations.c.id)
        .where(conversation_members.c.account_id == account_id, newest.is_not(None))
        .order_by(newest.desc())
        .limit(limit)
    )
    return [(row.id, _ids(row.members)) for row in rows]


async def find_members(connection: AsyncConnection, account_id: int, conversation_id: int) -> tuple[int, ...] | None:
    """The ids of all people of a conversation. None if the account is not one of them."""
    is_member = and_(
        conversation_members.c.conversation_id == conversations.c.id, conversation_members.c.account_id == account_id
    )
    found = await connection.execute(
        select(_MEMBERS).join(conversation_members, is_member).where(conversations.c.id == conversation_id)
    )
    members = found.scalar_one_or_none()
    return None if members is None else _ids(members)


def _ids(members: str) -> tuple[int, ...]:
    return tuple(map(int, members.split(",")))
