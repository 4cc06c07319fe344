"""Reads messages: around an anchor, through a narrow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.messages import (
    MOST_MESSAGES,
    Copy,
    Directory,
    Found,
    Message,
    invalid_messages,
    shortened_content,
)
from keybearer.server.domain.messaging.narrows import Term, bad_narrow
from keybearer.server.services.context import Context
from keybearer.server.services.context import View as Look
from keybearer.server.services.messaging.lookups import (
    copies_of,
    directory_of,
    find_people,
    names_in,
    visible_message,
)
from keybearer.server.services.messaging.markdown import render_for
from keybearer.server.storage.messaging import channels, narrows
from keybearer.server.storage.messaging import messages as stored
from keybearer.server.storage.messaging.narrows import Flagged, M_co, Page, View

BEYOND_ALL = 10_000_000_000_000_000
"""Zulip's number for a position after the newest message."""

USUAL_MESSAGES = 1000
"""As many as Zulip's own clients ask for at once. One longer page of each person is read at a time."""

_LARGEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Query:
    """Which messages to find. `anchor` is an id, `newest`, `oldest`, `first_unread` or a moment. Alternatively, only
    `message_ids` is given. `with_sent` includes what the account sent even if it has no copy, for a narrow of its own
    messages.
    """

    anchor: int | str | datetime = "newest"
    num_before: int = 0
    num_after: int = 0
    include_anchor: bool = True
    narrow: tuple[Term, ...] = ()
    message_ids: tuple[int, ...] | None = None
    with_sent: bool = False


async def find(context: Context, caller: Caller, query: Query) -> Found:
    """The messages that the actor sees. Raises Refused with Zulip's words."""
    async with _reading(context, caller, query, with_texts=True) as look:
        connection, actor = look.connection, look.actor
        view, anchor = await resolve_narrow(connection, actor.account, query.narrow)
        view = replace(view, with_sent=query.with_sent)
        if query.message_ids is not None:
            page = await narrows.find_some(connection, view, query.message_ids)
            return await _found(connection, actor, _complete_messages(page), BEYOND_ALL, (False, False, False))
        query = replace(query, anchor=query.anchor if anchor is None else anchor)
        around = await _around(connection, view, query, narrows.find_before, narrows.find_after)
        return await _found(connection, actor, around.messages, around.anchor, around.found)


async def find_flags(context: Context, caller: Caller, query: Query) -> Around[Flagged]:
    """The messages around an anchor that the actor sees, without their texts. Raises Refused with Zulip's words."""
    async with _reading(context, caller, query, with_texts=False) as look:
        view, anchor = await resolve_narrow(look.connection, look.actor.account, query.narrow)
        query = replace(query, anchor=query.anchor if anchor is None else anchor)
        return await _around(look.connection, view, query, narrows.find_flags_before, narrows.find_flags_after)


@asynccontextmanager
async def _reading(context: Context, caller: Caller, query: Query, *, with_texts: bool) -> AsyncIterator[Look]:
    """A snapshot in which to find messages."""
    if query.num_before < 0 or query.num_after < 0:
        name = "num_before" if query.num_before < 0 else "num_after"
        raise Refused(f"{name} is too small")
    wanted = max(query.num_before + query.num_after, len(query.message_ids or ()))
    _check_count(wanted)
    # A search may read every message, and a long page the texts of thousands.
    takes_long = any(term.is_search for term in query.narrow) or (with_texts and wanted > USUAL_MESSAGES)
    async with _turn(context, caller) if takes_long else nullcontext(), context.viewing(caller) as look:
        yield look


@asynccontextmanager
async def _turn(context: Context, caller: Caller) -> AsyncIterator[None]:
    """Wait for the turn of a search, and stop it if it takes too long: there are only a few connections for reading.

    Raises Refused if it is stopped, and Overloaded if too many wait.
    """
    try:
        async with context.searches.turn(caller.account.person_id):
            yield
    except TimeoutError:
        raise Refused(
            "This search takes too long. Search in a channel, a topic or a conversation, or for fewer messages."
        ) from None


def _check_count(wanted: int) -> None:
    if wanted > MOST_MESSAGES:
        raise Refused(f"Too many messages requested (maximum {MOST_MESSAGES}).")


def _complete_messages(page: Page[Message]) -> Sequence[Message]:
    if page.is_cut:
        raise Refused("These messages are too long for one answer. Ask for fewer of them.")
    return page.messages


@dataclass(frozen=True, slots=True)
class Around(Generic[M_co]):
    """Messages around an anchor, oldest first. `found` is about the anchor, the oldest and the newest message."""

    messages: Sequence[M_co]
    anchor: int
    found: tuple[bool, bool, bool]


class _FindBefore(Protocol[M_co]):
    async def __call__(
        self, connection: AsyncConnection, view: View, anchor: int, *, limit: int, inclusive: bool
    ) -> Page[M_co]: ...


class _FindAfter(Protocol[M_co]):
    async def __call__(self, connection: AsyncConnection, view: View, anchor: int, *, limit: int) -> Page[M_co]: ...


async def _around(
    connection: AsyncConnection, view: View, query: Query, find_before: _FindBefore[M_co], find_after: _FindAfter[M_co]
) -> Around[M_co]:
    anchor = await _anchor(connection, view, query.anchor)
    at = max(-1, min(anchor, _LARGEST_ID))
    older: Page[M_co] = Page((), is_cut=False)
    newer = older
    wanted = query.num_before + (1 if query.include_anchor else 0)
    if wanted:
        older = await find_before(connection, view, at, limit=wanted, inclusive=query.include_anchor)
    before = older.messages
    found_anchor = query.include_anchor and bool(before) and before[0].id == at
    if query.include_anchor and not found_anchor:
        before = before[: query.num_before]
    if query.num_after and anchor < BEYOND_ALL:
        newer = await find_after(connection, view, at, limit=query.num_after)
    found_oldest = anchor == 0 or (len(before) - found_anchor < query.num_before and not older.is_cut)
    found_newest = anchor >= BEYOND_ALL or (len(newer.messages) < query.num_after and not newer.is_cut)
    rows = [*reversed(before), *newer.messages]
    return Around(rows, anchor, (found_anchor, found_oldest, found_newest))


async def _anchor(connection: AsyncConnection, view: View, anchor: int | str | datetime) -> int:
    if isinstance(anchor, int):
        return min(max(anchor, 0), BEYOND_ALL)
    if isinstance(anchor, datetime):
        first = await narrows.first_since(connection, view, anchor)
        return BEYOND_ALL if first is None else first
    if anchor == "oldest":
        return 0
    if anchor == "newest":
        return BEYOND_ALL
    unread = await narrows.first_unread(connection, view)
    return BEYOND_ALL if unread is None else unread


async def _found(
    connection: AsyncConnection, actor: Actor, rows: Sequence[Message], anchor: int, found: tuple[bool, bool, bool]
) -> Found:
    copies = await copies_of(connection, actor.account, rows)
    directory = await directory_of(connection, rows, [each for copy in copies for each in copy.reactions])
    return Found(copies, directory, anchor, *found)


async def resolve_narrow(
    connection: AsyncConnection, account: Account, terms: Sequence[Term]
) -> tuple[View, int | None]:
    """The view of the account, with the names in the terms replaced by ids, and the message that `near` names.

    Raises Refused with Zulip's words, the same for a channel or an address that the account may not see as for one that
    does not exist.
    """
    names = {term.operand for term in terms if term.operator == "channel"}
    channel_ids = await _channel_ids(connection, account, {each for each in names if isinstance(each, str | int)})
    people = [person for term in terms for person in _people_in(term)]
    people_ids = dict(zip(people, await _people_ids(connection, account, people), strict=True))
    with_ids = {term.operand for term in terms if term.operator == "with"}
    places = await _places(connection, account, {each for each in with_ids if isinstance(each, int)})
    resolved = [_resolved(term, channel_ids, people_ids, places) for term in terms]
    anchor = next((term.operand for term in resolved if term.operator == "near"), None)
    return View(account, tuple(resolved)), anchor if isinstance(anchor, int) else None


Named = str | int


def _people_in(term: Term) -> tuple[Named, ...]:
    """The people that a term names."""
    if term.operator not in ("sender", "dm", "dm-including"):
        return ()
    return term.operand if isinstance(term.operand, tuple) else (term.operand,)


def _resolved(
    term: Term, channel_ids: Mapping[Named, int], people_ids: Mapping[Named, int], places: Mapping[int, Message]
) -> Term:
    match term.operator, term.operand:
        case "channel", str() | int() as channel:
            return replace(term, operand=channel_ids[channel])
        case "sender", str() | int() as sender:
            return replace(term, operand=people_ids[sender])
        case "dm" | "dm-including", tuple() as people:
            return replace(term, operand=tuple(people_ids[each] for each in people))
        case "with", int() as message_id:
            # The channel and topic, or the conversation, that this message is in now.
            message = places[message_id]
            if message.recipient_ids:
                return Term("dm", message.recipient_ids, term.negated)
            return Term("topic", message.topic, term.negated)
    return term


async def _channel_ids(connection: AsyncConnection, account: Account, wanted: Collection[Named]) -> dict[Named, int]:
    """The ids of the channels with these names and ids."""
    found = await channels.find_named(connection, account, wanted) if wanted else {}
    for each in wanted:
        if each not in found:
            raise bad_narrow(f"unknown channel {each}")
    return {each: channel.id for each, channel in found.items()}


async def _places(connection: AsyncConnection, account: Account, message_ids: Collection[int]) -> dict[int, Message]:
    """The messages with these ids."""
    found = await stored.find_all_seen(connection, account, message_ids) if message_ids else []
    if len(found) < len(message_ids):
        raise invalid_messages()
    return {message.id: message for message in found}


async def _people_ids(connection: AsyncConnection, account: Account, operands: Sequence[Named]) -> Sequence[int]:
    named = [account.id if each == "me" else each for each in operands]
    found = await find_people(connection, account, named, refusal=lambda operand: bad_narrow(f"unknown user {operand}"))
    return [person.id for person in found]


async def find_one(context: Context, caller: Caller, message_id: int) -> tuple[Copy, Directory]:
    """One message that the actor may see."""
    async with context.viewing(caller) as look:
        connection, actor = look.connection, look.actor
        message = await visible_message(connection, actor.account, message_id)
        (copy,) = await copies_of(connection, actor.account, [message])
        return copy, await directory_of(connection, [message], copy.reactions)


async def matching(
    context: Context, caller: Caller, message_ids: Sequence[int], terms: Sequence[Term]
) -> Sequence[Message]:
    """Those of several messages that the actor sees through a narrow."""
    _check_count(len(message_ids))
    async with context.viewing(caller) as look:
        connection, actor = look.connection, look.actor
        view, _ = await resolve_narrow(connection, actor.account, terms)
        return _complete_messages(await narrows.find_some(connection, view, message_ids))


async def render(context: Context, caller: Caller, content: str) -> str:
    """A text as HTML, as a message would show it. A text that is too long is cut."""
    content = shortened_content(content)
    names = await names_in(context, caller, content)
    return (await render_for(context, caller, content, names)).html
