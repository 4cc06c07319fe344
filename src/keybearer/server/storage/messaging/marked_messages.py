"""Messages with a mark, such as unread ones: where they are, without their texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import accumulate, takewhile
from typing import NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.limits import MOST_MEMBERS
from keybearer.server.domain.messaging.messages import MOST_MARKED, Flag, Marked, flag_of
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among_given
from keybearer.server.storage.messaging.messages import MEMBERS, SOURCE, recipient_ids_of
from keybearer.server.storage.messaging.tables import conversations, copies, messages
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.visibility import ViewerKind, kind_of, kind_sees_message, viewer_parameters


@cache
def _with_flag(kind: ViewerKind, flag: Flag, *, is_set: bool) -> Prepared:
    has_flag = copies.c.flags.bitwise_and(flag.value) != 0
    is_own = copies.c.account_id == bindparam("viewer_id")
    return Prepared(
        select(messages.c.id, messages.c.channel_id, messages.c.topic, messages.c.conversation_id, copies.c.flags)
        .select_from(SOURCE.join(copies, copies.c.message_id == messages.c.id))
        .where(is_own, has_flag if is_set else ~has_flag, kind_sees_message(kind))
        .order_by(messages.c.id.desc())
        .limit(MOST_MARKED)
    )


_MEMBERS = Prepared(select(conversations.c.id, MEMBERS).where(among_given(conversations.c.id, "ids")))


async def _members_of(connection: AsyncConnection, conversation_ids: Collection[int]) -> dict[int, tuple[int, ...]]:
    """The people of these conversations. A conversation may have thousands of people, and of messages."""
    rows = await _MEMBERS.rows(connection, ids=sorted(conversation_ids)) if conversation_ids else ()
    return {conversation_id: recipient_ids_of(members) for conversation_id, members in rows}


_LENGTHS = Prepared(select(conversations.c.id, func.length(MEMBERS)).where(among_given(conversations.c.id, "ids")))


class Unread(NamedTuple):
    """Unread messages, oldest first. `is_cut` means that older ones are left out."""

    found: Sequence[Marked]
    is_cut: bool


NONE_UNREAD = Unread((), is_cut=False)


async def find_starred_ids(connection: AsyncConnection, viewer: Account) -> Sequence[int]:
    """The messages that the viewer sees and has starred, oldest first: at most the newest `MOST_MARKED`."""
    found = await _with_flag(kind_of(viewer), Flag.STARRED, is_set=True).values(connection, **viewer_parameters(viewer))
    return found[::-1]


async def find_unread(connection: AsyncConnection, viewer: Account) -> Unread:
    """The messages that the viewer sees and has not read: at most the newest `MOST_MARKED`, and fewer if their
    conversations have too many people.
    """
    rows = await _with_flag(kind_of(viewer), Flag.READ, is_set=False).rows(connection, **viewer_parameters(viewer))
    fit = await _conversations_that_fit(connection, list(dict.fromkeys(row[3] for row in rows if row[3] is not None)))
    kept = list(takewhile(lambda row: row[3] is None or row[3] in fit, rows))
    members = await _members_of(connection, fit)
    found = await paced(lambda row: Marked(row[0], row[1], row[2], members.get(row[3], ()), flag_of(row[4])), kept)
    return Unread(found[::-1], is_cut=len(kept) < len(rows) or len(rows) == MOST_MARKED)


async def _conversations_that_fit(connection: AsyncConnection, conversation_ids: Sequence[int]) -> set[int]:
    """The first of these conversations, as many as one answer has room for all their people."""
    lengths = await _LENGTHS.rows(connection, ids=sorted(conversation_ids)) if conversation_ids else ()
    length_of = {row[0]: row[1] for row in lengths}
    totals = accumulate(length_of[each] for each in conversation_ids)
    return {each for each, total in zip(conversation_ids, totals, strict=True) if total <= MOST_MEMBERS}


_PLACES = Prepared(
    select(messages.c.id, messages.c.channel_id, messages.c.topic, messages.c.conversation_id).where(
        among_given(messages.c.id, "ids")
    )
)


async def find_marked(connection: AsyncConnection, flags: Mapping[int, Flag]) -> Sequence[Marked]:
    """These messages, without their texts, each with the flags given for it."""
    rows = await _PLACES.rows(connection, ids=sorted(flags))
    members = await _members_of(connection, {row[3] for row in rows if row[3] is not None})
    return await paced(lambda row: Marked(row[0], row[1], row[2], members.get(row[3], ()), flags[row[0]]), rows)
