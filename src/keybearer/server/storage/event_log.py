"""The log of events and the queues that read it, as rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, StoredEvent, Subject
from keybearer.server.domain.event_queues import Queue, QueueOptions
from keybearer.server.domain.limits import MOST_EVENT_TEXT, Cap
from keybearer.server.domain.messaging.narrows import Term, folded
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.accounts import is_of_person
from keybearer.server.storage.dialect import delete_some, locked
from keybearer.server.storage.instants import to_microseconds
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import event_counter, event_queues, events

POLLED = timedelta(minutes=2)
"""The longest time between two polls of a client that continues. A poll takes at most a minute."""

_APPENDED = Prepared(insert(events), columns=("id", "type", "fields", "recipients", "about"))
_ADVANCED = Prepared(
    update(event_counter)
    .values(last_id=event_counter.c.last_id + bindparam("by", type_=BigInteger))
    .returning(event_counter.c.last_id)
)


_TAKEN = (
    update(event_counter).values(last_id=event_counter.c.last_id + 1).returning(event_counter.c.last_id).cte("taken")
)
_FIELDS = ("type", "fields", "recipients", "about")
_APPENDED_ONE = Prepared(
    insert(events)
    .from_select(
        ["id", *_FIELDS], select(_TAKEN.c.last_id, *(bindparam(name, type_=events.c[name].type) for name in _FIELDS))
    )
    .returning(events.c.id)
)
"""Both statements in one. SQLite has no changes in WITH, and its statements take no round trip."""


async def append(connection: AsyncConnection, new: Sequence[Event]) -> int:
    """Write events at the end of the log. Returns the number of the last.

    No other transaction can write events until this one ends, so call it last.
    """
    rows = await paced(_row, new)
    if len(rows) == 1 and connection.dialect.name == "postgresql":
        (last,) = await _APPENDED_ONE.values(connection, **rows[0])
        return int(last)
    last = await advance(connection, by=len(new))
    first = last - len(new) + 1
    await _APPENDED.run_each(connection, [{"id": number, **row} for number, row in enumerate(rows, start=first)])
    return last


def _row(event: Event) -> dict[str, str | None]:
    return {
        "type": event.type,
        "fields": json.dumps(event.fields, ensure_ascii=False),
        "recipients": _recipients_text(event.recipients),
        "about": "" if event.about == OPEN_TO_ALL else json.dumps(event.about),
    }


async def advance(connection: AsyncConnection, *, by: int) -> int:
    """Take numbers of the log, whether or not each gets an event. Returns the last of them."""
    (last,) = await _ADVANCED.values(connection, by=by)
    return int(last)


def _recipients_text(recipients: Mapping[int, Sequence[str]] | None) -> str | None:
    """Most accounts have no flags. They are stored in one list, the others by their flags."""
    if recipients is None:
        return None
    by_flags: dict[str, list[int]] = {}
    for account_id, flags in recipients.items():
        by_flags.setdefault(",".join(flags), []).append(account_id)
    return json.dumps(by_flags, separators=(",", ":"))


def _recipients(text: str | None) -> dict[int, Sequence[str]] | None:
    if text is None:
        return None
    found: dict[int, Sequence[str]] = {}
    for joined, account_ids in json.loads(text).items():
        flags = tuple(joined.split(",")) if joined else ()
        found |= dict.fromkeys(account_ids, flags)
    return found


def _subject(text: str) -> Subject:
    if not text:
        return OPEN_TO_ALL
    channel_ids, message_ids, bot_id, addressed_ids = json.loads(text)
    return Subject(tuple(channel_ids), tuple(message_ids), bot_id, tuple(addressed_ids))


_LAST_ID = Prepared(select(event_counter.c.last_id))


async def last_id(connection: AsyncConnection) -> int:
    """The number of the last event."""
    (last,) = await _LAST_ID.values(connection)
    return int(last)


class Batch(NamedTuple):
    """Events in the order of the log. `is_last` means that there are no more."""

    events: Sequence[StoredEvent]
    is_last: bool


async def find_after(connection: AsyncConnection, event_id: int, *, limit: int) -> Batch:
    """The events after a number, oldest first: up to a limit, fewer if they are long, but always at least one."""
    size = func.length(events.c.fields) + func.length(events.c.about)
    size += func.coalesce(func.length(events.c.recipients), 0)
    next_ones = select(events.c.id, size.label("size")).where(events.c.id > event_id).order_by(events.c.id)
    wanted = next_ones.limit(limit).subquery()
    before = func.sum(wanted.c.size).over(order_by=wanted.c.id) - wanted.c.size
    sized = select(wanted.c.id, wanted.c.size, before.label("before"), func.count().over().label("wanted")).subquery()
    rows = await connection.execute(
        select(events, sized.c.size, sized.c.wanted)
        .join(sized, sized.c.id == events.c.id)
        .where(sized.c.before < MOST_EVENT_TEXT)
        .order_by(events.c.id)
    )
    found = rows.all()
    is_last = not found or len(found) == found[0].wanted < limit
    return Batch(await paced(_stored, found), is_last)


def _stored(row: Row[Any]) -> StoredEvent:
    event = Event(row.type, json.loads(row.fields), _subject(row.about), _recipients(row.recipients))
    return StoredEvent(row.id, event, row.size)


async def remove_read(connection: AsyncConnection, _now: datetime, *, limit: int) -> int:
    """Delete events that no queue will read, up to a limit. Returns how many."""
    oldest = (await connection.execute(select(func.min(event_queues.c.acknowledged_id)))).scalar_one()
    read = await last_id(connection) if oldest is None else oldest
    return await delete_some(connection, events, events.c.id <= read, limit=limit)


_OPENED = Prepared(insert(event_queues), columns=[column.name for column in event_queues.c])


async def add_queue(connection: AsyncConnection, queue: Queue) -> None:
    """Open a queue."""
    await _OPENED.run(
        connection,
        id=queue.id,
        account_id=queue.account_id,
        start_id=queue.start_id,
        acknowledged_id=queue.acknowledged_id,
        polled_at=queue.polled_at,
        idle_seconds=int(queue.idle_timeout.total_seconds()),
        options=options_text(queue.options),
    )


_QUEUE = Prepared(select(event_queues).where(event_queues.c.id == bindparam("queue_id")))


async def find_queue(connection: AsyncConnection, queue_id: str) -> Queue | None:
    """The queue with that id."""
    columns = await _QUEUE.record(connection, queue_id=queue_id)
    if columns is None:
        return None
    return Queue(
        id=columns["id"],
        account_id=columns["account_id"],
        start_id=columns["start_id"],
        acknowledged_id=columns["acknowledged_id"],
        polled_at=columns["polled_at"],
        idle_timeout=timedelta(seconds=columns["idle_seconds"]),
        options=_options(json.loads(columns["options"])),
    )


def options_text(options: QueueOptions) -> str:
    """The options of a queue, as they are stored."""
    return json.dumps(
        {
            "event_types": options.event_types,
            "narrow": [[term.operator, term.operand, term.negated] for term in options.narrow],
            "all_public_streams": options.all_public_streams,
            "apply_markdown": options.apply_markdown,
            "empty_topics": options.empty_topics,
            "slim_presence": options.slim_presence,
            "simplified_presence": options.simplified_presence,
            "bulk_deletion": options.bulk_deletion,
            "stream_typing": options.stream_typing,
        }
    )


def _options(stored: Mapping[str, Any]) -> QueueOptions:
    types = stored["event_types"]
    return QueueOptions(
        **{
            **stored,
            "event_types": None if types is None else tuple(types),
            "narrow": folded([Term(operator, operand, negated) for operator, operand, negated in stored["narrow"]]),
        }
    )


async def note_polls(connection: AsyncConnection, polls: Iterable[tuple[str, datetime, int]]) -> None:
    """Record when queues were polled, and how far their clients have read."""
    # In the order of their ids, so that two workers that write at once do not deadlock.
    rows = [{"of_id": each, "at": at, "read": read} for each, at, read in sorted(polls)]
    if rows:
        at = bindparam("at", type_=event_queues.c.polled_at.type)
        await connection.execute(
            update(event_queues)
            .where(event_queues.c.id == bindparam("of_id"), event_queues.c.polled_at <= at)
            .values(polled_at=at, acknowledged_id=bindparam("read")),
            rows,
        )


async def count(connection: AsyncConnection) -> int:
    """How many events are stored."""
    return (await connection.execute(select(func.count()).select_from(events))).scalar_one()


async def count_all_queues(connection: AsyncConnection) -> int:
    """How many queues there are, for all accounts."""
    return (await connection.execute(select(func.count()).select_from(event_queues))).scalar_one()


async def count_queues(connection: AsyncConnection, person_id: int, now: datetime) -> int:
    """How many open queues a person and their bots have, not counting those that nobody polled for too long."""
    (counted,) = await _OPEN_QUEUES.values(connection, person_id=person_id, now=to_microseconds(now))
    return int(counted)


async def remove_queue(connection: AsyncConnection, queue_id: str) -> None:
    """Close a queue."""
    await connection.execute(delete(event_queues).where(event_queues.c.id == queue_id))


async def remove_queues_of(connection: AsyncConnection, account_id: int) -> None:
    """Close all queues of an account."""
    # In the order of their ids, like `note_polls`.
    found = locked(select(event_queues.c.id).where(event_queues.c.account_id == account_id).order_by(event_queues.c.id))
    await connection.execute(delete(event_queues).where(event_queues.c.id.in_(found)))


async def remove_idle_queues(connection: AsyncConnection, now: datetime, *, limit: int) -> int:
    """Close queues that nobody polled for too long, or that have too many waiting events, up to a limit.

    What a client that polls has read is known from its next poll, so events that were written within seconds do not
    close its queue. Returns how many.
    """
    last = await last_id(connection)
    is_behind = (event_queues.c.acknowledged_id < last - Cap.QUEUE_LOG.most) & (event_queues.c.polled_at < now - POLLED)
    is_behind |= event_queues.c.acknowledged_id < last - 10 * Cap.QUEUE_LOG.most
    is_idle = _is_idle(literal(to_microseconds(now), BigInteger))
    return await delete_some(connection, event_queues, is_idle | is_behind, limit=limit)


def _is_idle(now: ColumnElement[int]) -> ColumnElement[bool]:
    polled_at = type_coerce(event_queues.c.polled_at, BigInteger)
    return polled_at + cast(event_queues.c.idle_seconds, BigInteger) * 1_000_000 < now


_OPEN_QUEUES = Prepared(
    select(func.count())
    .select_from(event_queues)
    .where(
        is_of_person(event_queues.c.account_id, bindparam("person_id", type_=Integer)),
        ~_is_idle(bindparam("now", type_=BigInteger)),
    )
)
