"""Reactions as rows."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import case, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.limits import MOST_REACTIONS
from keybearer.server.domain.messaging.messages import Reaction
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among_given, insert_or_ignore
from keybearer.server.storage.messaging.tables import reactions
from keybearer.server.storage.prepared import Prepared


async def add(connection: AsyncConnection, reaction: Reaction) -> bool:
    """Add a reaction to a message. False if the account has already added it."""
    values = {
        "message_id": reaction.message_id,
        "account_id": reaction.account_id,
        "emoji_name": reaction.emoji_name,
        "emoji_code": reaction.emoji_code,
        "kind": reaction.kind,
    }
    return await insert_or_ignore(connection, reactions, values, key=["message_id", "account_id", "kind", "emoji_code"])


async def count(connection: AsyncConnection, message_id: int, account_id: int) -> tuple[int, int]:
    """How many reactions a message has, and how many of them are the account's."""
    own = func.count(case((reactions.c.account_id == account_id, 1)))
    everybody, mine = (
        await connection.execute(select(func.count(), own).where(reactions.c.message_id == message_id))
    ).one()
    return everybody, mine


async def remove(
    connection: AsyncConnection, message_id: int, account_id: int, *, emoji_code: str, kind: str
) -> Reaction | None:
    """Remove a reaction and return it. None if there was none."""
    row = (
        await connection.execute(
            delete(reactions)
            .where(
                reactions.c.message_id == message_id,
                reactions.c.account_id == account_id,
                reactions.c.emoji_code == emoji_code,
                reactions.c.kind == kind,
            )
            .returning(reactions.c.emoji_name)
        )
    ).first()
    return None if row is None else Reaction(message_id, account_id, row.emoji_name, emoji_code, kind)


_OF_MESSAGES = Prepared(
    select(*(column for column in reactions.c if column.name != "id"))
    .where(among_given(reactions.c.message_id, "ids"))
    .order_by(reactions.c.id)
    .limit(MOST_REACTIONS + 1)
)


async def find_all(connection: AsyncConnection, message_ids: Iterable[int]) -> dict[int, tuple[Reaction, ...]]:
    """The reactions of several messages, by message, in the order in which they were added: at most one more than an
    answer has room for.
    """
    rows = await _OF_MESSAGES.rows(connection, ids=sorted(set(message_ids)))
    found: dict[int, list[Reaction]] = {}
    for reaction in await paced(lambda row: Reaction(*row), rows):
        found.setdefault(reaction.message_id, []).append(reaction)
    return {message_id: tuple(each) for message_id, each in found.items()}
