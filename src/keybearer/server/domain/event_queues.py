"""Event queues: what a client asks for, and which part of the log it receives.

A queue is a position in the log and a filter. It costs nothing while nobody reads it, and every worker can serve it. An
event's number on the wire counts from where its queue began, so a queue's first event has a number of 0 or more, and
numbers may be skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import final

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.event_log import ACCESS_CHANGED, StoredEvent
from keybearer.server.domain.messaging import narrows
from keybearer.server.domain.messaging.message_events import with_named_topics, with_text
from keybearer.server.domain.messaging.narrows import Term

HEARTBEAT_EVERY = 45.0
"""Seconds after which a poll that found nothing is answered with a heartbeat. Up to ten random seconds are added."""

LONGEST_ID = 64
"""How many characters of a queue's id an error repeats. The server's own ids have 36."""

LONG_POLL_TIMEOUT = 90
"""How many seconds clients are told to wait for an answer."""

IDLE_TIMEOUT = timedelta(minutes=10)
LONGEST_IDLE_TIMEOUT = timedelta(days=7)
MOBILE_IDLE_TIMEOUT = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """What a client wants from its queue. `event_types` is None for all types.

    The narrow of a stored queue is folded: each event is compared with it.
    """

    event_types: tuple[str, ...] | None = None
    narrow: tuple[Term, ...] = ()
    all_public_streams: bool = False
    apply_markdown: bool = False
    empty_topics: bool = False
    slim_presence: bool = False
    simplified_presence: bool = False
    bulk_deletion: bool = False
    stream_typing: bool = False


@dataclass(frozen=True, slots=True)
class Queue:
    """An event queue. It begins after the event `start_id`. Events up to `acknowledged_id` were read and are
    forgotten."""

    id: str
    account_id: int
    start_id: int
    acknowledged_id: int
    polled_at: datetime
    idle_timeout: timedelta
    options: QueueOptions = field(default_factory=QueueOptions)

    def number_of(self, event_id: int) -> int:
        """An event's number on the wire."""
        return event_id - self.start_id - 1

    def id_of(self, number: int) -> int:
        """The position in the log of the event with this number."""
        return number + self.start_id + 1

    def is_over(self, now: datetime) -> bool:
        """Whether the queue has been unread for so long that it has ended."""
        return now - self.polled_at > self.idle_timeout


def bad_queue(queue_id: str) -> Refused:
    """Zulip's error for a queue that no longer exists or belongs to somebody else. The client registers a new one.

    It repeats the id (twice, as in Zulip), cut to `LONGEST_ID` characters.
    """
    shown = queue_id[:LONGEST_ID]
    return Refused(f"Bad event queue ID: {shown}", code="BAD_EVENT_QUEUE_ID", extra={"queue_id": shown})


def for_queue(stored: StoredEvent, queue: Queue) -> dict[str, object] | None:
    """The event in the form that this queue's client asked for. None if the client did not ask for it or is not a
    recipient."""
    event, options = stored.event, queue.options
    if event.type == ACCESS_CHANGED or (options.event_types is not None and event.type not in options.event_types):
        return None
    if event.type == "message":
        return _message_for_queue(stored, queue)
    if event.recipients is not None and queue.account_id not in event.recipients:
        return None
    fields = event.fields
    if event.type == "subscription" and queue.account_id in _peers(fields):
        return None  # `add` and `remove` are about the account's own subscriptions
    if event.type == "typing" and "stream_id" in fields and not options.stream_typing:
        return None
    if event.type == "presence":
        fields = _presence_for_queue(fields, options)
    if event.type == "delete_message":
        fields = _deletion_for_queue(fields, options)
    if event.type in _WITH_TOPICS and not options.empty_topics:
        fields = with_named_topics(fields)
    return {**fields, "id": queue.number_of(stored.id)}


@final
class Addressees:
    """Whom some events may concern. Most polls wait for something else, and are passed over quickly."""

    def __init__(self, stored: Iterable[StoredEvent]) -> None:
        events = [each.event for each in stored]
        self._types = {event.type for event in events}
        self._is_open = any(event.recipients is None for event in events)
        self._recipients = {account_id for event in events for account_id in event.recipients or ()}
        self._ended = {event.fields["account_id"] for event in events if event.type == ACCESS_CHANGED}
        self._has_messages = "message" in self._types

    def may_include(self, queue: Queue) -> bool:
        """Whether a queue may get one of the events, or its polls must check their access again."""
        account_id, options = queue.account_id, queue.options
        if account_id in self._ended:
            return True
        is_addressed = self._is_open or account_id in self._recipients
        if not is_addressed and not (self._has_messages and options.all_public_streams):
            return False
        return options.event_types is None or not self._types.isdisjoint(options.event_types)


def with_muted_topics(
    fields: Mapping[str, object], muted: Sequence[Sequence[object]], queue: Queue
) -> dict[str, object]:
    """The event in the old form about muted topics, with the list of topics that this account has muted."""
    told = {**fields, "muted_topics": muted}
    return told if queue.options.empty_topics else with_named_topics(told)


_WITH_TOPICS = frozenset(
    {"update_message", "delete_message", "update_message_flags", "user_topic", "typing", "typing_edit_message"}
)  # fmt: skip


def _peers(fields: Mapping[str, object]) -> Sequence[object]:
    peers = fields.get("user_ids", ())
    assert isinstance(peers, Sequence)
    return peers


def _presence_for_queue(fields: Mapping[str, object], options: QueueOptions) -> Mapping[str, object]:
    """The form of feature level 419 for clients with the capability `simplified_presence_events`, else the old form.

    Clients that asked for presence by id (`slim_presence`) receive no address.
    """
    simplified = fields.get("simplified")
    if options.simplified_presence and isinstance(simplified, Mapping):
        return simplified
    return _without(fields, "simplified", *(["email"] if options.slim_presence else []))


def _deletion_for_queue(fields: Mapping[str, object], options: QueueOptions) -> Mapping[str, object]:
    """All ids for clients with the capability `bulk_message_deletion`, one id for others.

    Zulip sends those others one event per message. Here they receive several ids in one event.
    """
    ids = fields["message_ids"]
    assert isinstance(ids, Sequence)
    if options.bulk_deletion:
        return _without(fields, "message_id")
    return _without(fields, "message_ids") if len(ids) == 1 else fields


def _without(fields: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name not in names}


def _message_for_queue(stored: StoredEvent, queue: Queue) -> dict[str, object] | None:
    event, options = stored.event, queue.options
    fields, recipients = event.fields, event.recipients or {}
    message = fields["message"]
    assert isinstance(message, Mapping)
    flags = recipients.get(queue.account_id)
    if flags is None:
        if not (options.all_public_streams and fields["is_public"]):
            return None
        flags = ()
    if not narrows.matches(options.narrow, message, flags):
        return None
    told: dict[str, object] = {
        "type": "message",
        "id": queue.number_of(stored.id),
        "message": with_text(
            message,
            str(fields["content"]),
            str(fields["rendered"]),
            as_html=options.apply_markdown,
            empty_topics=options.empty_topics,
        ),
        "flags": list(flags),
    }
    if fields.get("local_id") is not None and fields.get("queue_id") == queue.id:
        told["local_message_id"] = fields["local_id"]
    return told


def heartbeat(queue: Queue, event_id: int) -> dict[str, object]:
    """The event that answers a poll when nothing has happened for long."""
    return {"type": "heartbeat", "id": queue.number_of(event_id)}
