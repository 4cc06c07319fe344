"""Messages and the copies that accounts have of them, as rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Text, bindparam, case, cast, delete, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.domain.messaging.messages import Flag, Message, flag_of
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among, among_given, changing_many, json_length, json_text, locked
from keybearer.server.storage.messaging.tables import conversations, copies, messages
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.visibility import sees_message

NO_FLAGS = Flag(0)

SOURCE = messages.outerjoin(conversations, conversations.c.id == messages.c.conversation_id)
MEMBERS = func.coalesce(conversations.c.members, conversations.c.members_key)
COLUMNS = [*(c for c in messages.c if c.name not in ("topic_key", "has_link", "has_image", "has_attachment")),
           MEMBERS.label("members")]  # fmt: skip


def from_row(row: Sequence[Any]) -> Message:
    """The value of a row that begins with `COLUMNS`."""
    (message_id, realm_id, sender_id, channel_id, conversation_id, topic, content, rendered, sent_at, client,
     edited_at, edits, members) = row[: len(COLUMNS)]  # fmt: skip
    return Message(
        message_id,
        realm_id,
        sender_id,
        content,
        rendered,
        sent_at,
        client,
        channel_id,
        conversation_id,
        recipient_ids_of(members),
        topic,
        edited_at,
        () if edits == "[]" else tuple(json.loads(edits)),
    )


@lru_cache(maxsize=32)  # a page often has many messages of one conversation
def recipient_ids_of(members: str | None) -> tuple[int, ...]:
    """The people of a conversation, from the text that is stored. None for a message in a channel."""
    return tuple(map(int, members.split(","))) if members else ()


async def find_seen(
    connection: AsyncConnection, viewer: Account, message_id: int, *, for_change: bool = False
) -> Message | None:
    """The message with that id. None if the viewer may not see it.

    `for_change` locks its row until the transaction ends.
    """
    if for_change:
        held = locked(select(messages.c.id).where(messages.c.id == message_id))
        if (await connection.execute(held)).first() is None:
            return None
    statement = select(*COLUMNS).select_from(SOURCE).where(messages.c.id == message_id, sees_message(viewer))
    row = (await connection.execute(statement)).first()
    return None if row is None else from_row(row)


async def find_all_seen(connection: AsyncConnection, viewer: Account, message_ids: Iterable[int]) -> Sequence[Message]:
    """Those of several messages that the viewer may see, by id."""
    wanted = (among(messages.c.id, message_ids), sees_message(viewer))
    rows = await connection.execute(select(*COLUMNS).select_from(SOURCE).where(*wanted).order_by(messages.c.id))
    return [from_row(row) for row in rows]


async def find_seen_ids(connection: AsyncConnection, viewer: Account, message_ids: Collection[int]) -> set[int]:
    """The ids of those of several messages that the viewer may see."""
    rows = await connection.execute(
        select(messages.c.id).where(among(messages.c.id, message_ids), sees_message(viewer))
    )
    return {row.id for row in rows}


async def hold_topic(
    connection: AsyncConnection, channel_id: int, topic: str, *, since: int, limit: int
) -> Sequence[int]:
    """The messages of a topic from the message `since` on, oldest first, locked until the transaction ends."""
    wanted = (messages.c.channel_id == channel_id, messages.c.topic_key == name_key(topic), messages.c.id >= since)
    statement = select(messages.c.id).where(*wanted).order_by(messages.c.id).limit(limit)
    return (await connection.execute(locked(statement))).scalars().all()


async def find_places(connection: AsyncConnection, message_ids: Iterable[int]) -> dict[int, tuple[int, str]]:
    """The channel and the topic that several messages are in, by message in the order of ids."""
    columns = (messages.c.id, messages.c.channel_id, messages.c.topic)
    rows = await connection.execute(select(*columns).where(among(messages.c.id, message_ids)).order_by(messages.c.id))
    return {row.id: (row.channel_id, row.topic) for row in rows}


async def save_content(
    connection: AsyncConnection, message: Message, *, has_link: bool, has_image: bool, has_attachment: bool
) -> None:
    """Write a message's changed text and its earlier text."""
    await connection.execute(
        update(messages)
        .where(messages.c.id == message.id)
        .values(
            content=message.content,
            rendered=message.rendered,
            edited_at=message.edited_at,
            edits=json.dumps(list(message.edits), ensure_ascii=False),
            has_link=has_link,
            has_image=has_image,
            has_attachment=has_attachment,
        )
    )


_OF_TEXT = '"prev_content": '
"""How an edit of the text begins to say what it was. No text contains this: JSON puts a backslash before its quotes."""


async def most_moves(connection: AsyncConnection, message_ids: Iterable[int]) -> int:
    """The largest number of times that one of these messages was moved."""
    without = func.length(func.replace(messages.c.edits, _OF_TEXT, ""))
    of_text = (func.length(messages.c.edits) - without) / len(_OF_TEXT)
    most = select(func.max(json_length(messages.c.edits) - of_text)).where(among(messages.c.id, message_ids))
    return int((await connection.execute(most)).scalar_one() or 0)


async def move(
    connection: AsyncConnection, message_ids: Iterable[int], *, channel_id: int, topic: str, by: int, at: datetime
) -> None:
    """Move messages of one channel, and record in each where it was before. Messages that are already there stay
    unchanged.
    """
    other_topic, other_channel = messages.c.topic != topic, messages.c.channel_id != channel_id
    note = f'"user_id": {by}, "timestamp": {int(at.timestamp())}'
    of_topic = literal(f', "topic": {json.dumps(topic)}, "prev_topic": ').concat(json_text(messages.c.topic))
    of_channel = literal(f', "stream": {channel_id}, "prev_stream": ').concat(cast(messages.c.channel_id, Text))
    edit = (
        literal(f"[{{{note}")
        .concat(case((other_topic, of_topic), else_=""))
        .concat(case((other_channel, of_channel), else_=""))
        .concat("}")
    )
    rest = case((messages.c.edits == "[]", "]"), else_=literal(", ").concat(func.substr(messages.c.edits, 2)))
    await connection.execute(
        update(messages)
        .where(among(messages.c.id, message_ids), or_(other_topic, other_channel))
        .values(channel_id=channel_id, topic=topic, topic_key=name_key(topic), edited_at=at, edits=edit.concat(rest))
    )


async def remove(connection: AsyncConnection, message_id: int) -> None:
    """Delete a message, with its copies and reactions."""
    await connection.execute(changing_many(delete(messages).where(messages.c.id == message_id)))


_OWN_FLAGS = (
    select(copies.c.message_id, copies.c.flags)
    .where(copies.c.account_id == bindparam("account_id"), among_given(copies.c.message_id, "ids"))
    .order_by(copies.c.message_id)
)
_FLAGS = Prepared(_OWN_FLAGS)
_FLAGS_HELD = Prepared(locked(_OWN_FLAGS))


async def find_flags(
    connection: AsyncConnection, account_id: int, message_ids: Iterable[int], *, for_change: bool = False
) -> dict[int, Flag]:
    """The flags of an account's copies, by message. Messages of which it has no copy are absent.

    `for_change` locks the copies until the transaction ends.
    """
    statement = _FLAGS_HELD if for_change else _FLAGS
    rows = await statement.rows(connection, account_id=account_id, ids=sorted(set(message_ids)))
    return dict(await paced(lambda row: (row[0], flag_of(row[1])), rows))


async def find_owner_ids(connection: AsyncConnection, message_ids: Collection[int]) -> set[int]:
    """The accounts that have a copy of one of several messages."""
    statement = select(copies.c.account_id).where(among(copies.c.message_id, message_ids)).distinct()
    return set((await connection.execute(statement)).scalars())


async def find_owners(connection: AsyncConnection, message_id: int, *, for_change: bool = False) -> dict[int, Flag]:
    """The accounts that have a copy of a message, with its flags. `for_change` is as in `find_flags`."""
    statement = (
        select(copies.c.account_id, copies.c.flags)
        .where(copies.c.message_id == message_id)
        .order_by(copies.c.account_id)
    )
    rows = await connection.execute(locked(statement) if for_change else statement)
    return dict(await paced(lambda row: (row[0], flag_of(row[1])), rows))


async def change_flags(
    connection: AsyncConnection,
    account_ids: Collection[int],
    message_ids: Collection[int],
    *,
    added: Flag = NO_FLAGS,
    removed: Flag = NO_FLAGS,
) -> None:
    """Change some flags of these accounts' copies of these messages. The other flags stay."""
    flags = copies.c.flags.bitwise_and(~removed.value).bitwise_or(added.value)
    await connection.execute(
        update(copies)
        .where(among(copies.c.account_id, account_ids), among(copies.c.message_id, message_ids))
        .values(flags=flags)
    )
