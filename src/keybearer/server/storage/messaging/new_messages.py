"""Writes new messages and the copies that accounts get of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Integer, Select, bindparam, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.messaging.channels import name_key
from keybearer.server.domain.messaging.messages import Flag, Message, conversation_key
from keybearer.server.domain.messaging.messages import conversation_members as members_of
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import insert_or_ignore
from keybearer.server.storage.messaging.tables import conversation_members, conversations, copies, messages
from keybearer.server.storage.prepared import Prepared


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that has not been written yet. `conversation_id` and `channel_id` exclude each other."""

    realm_id: int
    sender_id: int
    content: str
    rendered: str
    sent_at: datetime
    client: str
    channel_id: int | None = None
    conversation_id: int | None = None
    topic: str = ""
    has_link: bool = False
    has_image: bool = False
    has_attachment: bool = False


_FIELDS = (
    "id", "realm_id", "sender_id", "content", "rendered", "sent_at", "client", "channel_id", "conversation_id",
    "topic", "edited_at",
)  # fmt: skip


_ADDED = Prepared(insert(messages).returning(messages.c.id), columns=(*NewMessage.__slots__, "topic_key"))
_JOINED = Prepared(insert(conversation_members), columns=("conversation_id", "account_id"))
_DELIVERED = Prepared(insert(copies), columns=("account_id", "message_id", "flags"))


def _added_with_copies() -> Select[Any]:
    """Writes a message and its copies in one statement."""
    columns = (*NewMessage.__slots__, "topic_key")
    added = (
        insert(messages)
        .values({name: bindparam(f"new_{name}", type_=messages.c[name].type) for name in columns})
        .returning(messages.c.id)
        .cte("added")
    )
    each = func.unnest(bindparam("account_ids", type_=ARRAY(Integer)), bindparam("flags", type_=ARRAY(Integer)))
    copy = each.table_valued("account_id", "flags").render_derived(name="copy")
    delivered = insert(copies).from_select(
        ["account_id", "message_id", "flags"], select(copy.c.account_id, added.c.id, copy.c.flags)
    )
    return select(added.c.id).add_cte(delivered.cte("delivered"))


_ADDED_WITH_COPIES = Prepared(_added_with_copies)


async def add(
    connection: AsyncConnection, new: NewMessage, flags: Mapping[int, Flag], *, recipient_ids: tuple[int, ...] = ()
) -> Message:
    """Write a message, and a copy with these flags for each account. `recipient_ids` are the people of its
    conversation.
    """
    values = {name: getattr(new, name) for name in NewMessage.__slots__}
    stored = {**values, "topic_key": name_key(new.topic)}
    if connection.dialect.name == "postgresql":  # SQLite has no changes in WITH, and its statements take no round trip
        of_copies = {"account_ids": list(flags), "flags": list(map(int, flags.values()))}
        parameters = {f"new_{name}": value for name, value in stored.items()}
        (message_id,) = await _ADDED_WITH_COPIES.values(connection, **parameters, **of_copies)
    else:
        (message_id,) = await _ADDED.values(connection, **stored)
        await _deliver(connection, message_id, flags)
    kept = {name: values[name] for name in _FIELDS if name in values}
    return Message(id=message_id, recipient_ids=recipient_ids, **kept)


_CONVERSATION = Prepared(select(conversations.c.id).where(conversations.c.members_key == bindparam("key")))


async def conversation_of(connection: AsyncConnection, account_ids: Sequence[int]) -> int:
    """The conversation of exactly these people. It is created if it does not exist."""
    key = conversation_key(account_ids)
    found = await _CONVERSATION.values(connection, key=key)
    return int(found[0]) if found else await _make_conversation(connection, key, account_ids)


async def _make_conversation(connection: AsyncConnection, key: str, account_ids: Sequence[int]) -> int:
    """Create a conversation, unless another transaction has just created it."""
    members = members_of(account_ids)
    values = {"members_key": key, "members": None if key == members else members}
    made = await insert_or_ignore(connection, conversations, values, key=["members_key"])
    (conversation_id,) = await _CONVERSATION.values(connection, key=key)
    if made:
        rows = [{"conversation_id": conversation_id, "account_id": each} for each in sorted(set(account_ids))]
        await _JOINED.run_each(connection, rows)
    return int(conversation_id)


async def _deliver(connection: AsyncConnection, message_id: int, flags: Mapping[int, Flag]) -> None:
    await _DELIVERED.run_each(
        connection,
        await paced(
            lambda each: {"account_id": each[0], "message_id": message_id, "flags": int(each[1])}, flags.items()
        ),
    )


async def deliver_late(connection: AsyncConnection, account_id: int, message_ids: Iterable[int], flags: Flag) -> None:
    """Give an account copies of messages that were never sent to it."""
    rows = [{"account_id": account_id, "message_id": each, "flags": int(flags)} for each in message_ids]
    await _DELIVERED.run_each(connection, rows)
