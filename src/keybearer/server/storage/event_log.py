"""The log of events and the queues into it, as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, StoredEvent, Subject
from keybearer.server.domain.event_queues import Queue, QueueOptions
from keybearer.server.domain.limits import MOST_EVENT_TEXT
from keybearer.server.domain.messaging.narrows import Term
from keybearer.server.storage.tables import event_counter, event_queues, events


async def append(connection: AsyncConnection, new: Sequence[Event]) -> int:
    """Write events at the end of the log; returns the number of the last.

    Nobody else writes events until this transaction ends, so call it last.
    """
    last = await advance(connection, by=len(new))
    rows = [
        {
            "id": last - len(new) + position,
            "type": event.type,
            "fields": json.dumps(event.fields, ensure_ascii=False),
            "recipients": _recipients_text(event.recipients),
            "about": "" if event.about == OPEN_TO_ALL else json.dumps(event.about),
        }
        for position, event in enumerate(new, start=1)
    ]
    if rows:
        await connection.execute(insert(events), rows)
    return last


async def advance(connection: AsyncConnection, *, by: int) -> int:
    """Take numbers of the log, with or without an event for each; returns the last of them."""
    counted = await connection.execute(
        update(event_counter).values(last_id=event_counter.c.last_id + by).returning(event_counter.c.last_id)
    )
    last: int = counted.scalar_one()
    return last


def _recipients_text(recipients: Mapping[int, Sequence[str]] | None) -> str | None:
    """Most accounts have no flags: they stand in one list, the others by their flags."""
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


async def last_id(connection: AsyncConnection) -> int:
    """The number of the last event."""
    last: int = (await connection.execute(select(event_counter.c.last_id))).scalar_one()
    return last


class Batch(NamedTuple):
    """Events in the order of the log. `is_last` says that there are no more of them."""

    events: Sequence[StoredEvent]
    is_last: bool


async def find_after(connection: AsyncConnection, event_id: int, *, limit: int) -> Batch:
    """The events after a number, the oldest first: so many at the most, fewer where they are long, and always one."""
    size = func.length(events.c.fields)
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
    return Batch([_stored(row) for row in found], is_last)


def _stored(row: Row[Any]) -> StoredEvent:
    event = Event(row.type, json.loads(row.fields), _subject(row.about), _recipients(row.recipients))
    return StoredEvent(row.id, event, row.size)


async def remove_read(connection: AsyncConnection) -> None:
    """Forget the events that no queue will ask for."""
    oldest = (await connection.execute(select(func.min(event_queues.c.acknowledged_id)))).scalar_one()
    limit = await last_id(connection) if oldest is None else oldest
    await connection.execute(delete(events).where(events.c.id <= limit))


async def add_queue(connection: AsyncConnection, queue: Queue) -> None:
    """Open a queue."""
    await connection.execute(
        insert(event_queues).values(
            id=queue.id,
            account_id=queue.account_id,
            start_id=queue.start_id,
            acknowledged_id=queue.acknowledged_id,
            polled_at=queue.polled_at,
            idle_seconds=int(queue.idle_timeout.total_seconds()),
            options=_options_text(queue.options),
        )
    )


async def find_queue(connection: AsyncConnection, queue_id: str) -> Queue | None:
    """The queue of that id."""
    row = (await connection.execute(select(event_queues).where(event_queues.c.id == queue_id))).first()
    return None if row is None else _queue(row)


def _queue(row: Row[Any]) -> Queue:
    return Queue(
        id=row.id,
        account_id=row.account_id,
        start_id=row.start_id,
        acknowledged_id=row.acknowledged_id,
        polled_at=row.polled_at,
        idle_timeout=timedelta(seconds=row.idle_seconds),
        options=_options(json.loads(row.options)),
    )


def _options_text(options: QueueOptions) -> str:
    return json.dumps(
        {
            "event_types": options.event_types,
            "narrow": [[term.operator, term.operand, term.negated] for term in options.narrow],
            "all_public_streams": options.all_public_streams,
            "apply_markdown": options.apply_markdown,
            "empty_topics": options.empty_topics,
            "simplified_presence": options.simplified_presence,
            "stream_typing": options.stream_typing,
        }
    )


def _options(stored: Mapping[str, Any]) -> QueueOptions:
    types = stored["event_types"]
    return QueueOptions(
        **{
            **stored,
            "event_types": None if types is None else tuple(types),
            "narrow": tuple(Term(operator, operand, negated) for operator, operand, negated in stored["narrow"]),
        }
    )


async def note_poll(connection: AsyncConnection, queue_id: str, *, at: datetime, acknowledged_id: int) -> None:
    """Note that a queue was asked, and how far its client has read."""
    await connection.execute(
        update(event_queues)
        .where(event_queues.c.id == queue_id, event_queues.c.polled_at <= at)
        .values(polled_at=at, acknowledged_id=acknowledged_id)
    )


async def count_queues(connection: AsyncConnection, account_id: int) -> int:
    """How many queues an account has open."""
    counted = await connection.execute(select(func.count()).where(event_queues.c.account_id == account_id))
    return counted.scalar_one()


async def remove_queue(connection: AsyncConnection, queue_id: str) -> None:
    """Close a queue."""
    await connection.execute(delete(event_queues).where(event_queues.c.id == queue_id))


async def remove_idle_queues(connection: AsyncConnection, now: datetime) -> None:
    """Close the queues that nobody asked for too long."""
    rows = await connection.execute(select(event_queues))
    for queue in map(_queue, rows.all()):
        if queue.is_over(now):
            await remove_queue(connection, queue.id)
