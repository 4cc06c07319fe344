"""What calls about event queues return."""

from __future__ import annotations

from keybearer.client.models.base import Answer, Listing, model
from keybearer.client.models.messages import Message


@model
class Queue(Answer):
    """An event queue, and the initial state that was requested with it."""

    queue_id: str
    last_event_id: int = -1
    zulip_feature_level: int = 0
    event_queue_longpoll_timeout_seconds: int | None = None


@model
class Event(Answer):
    """An event. `message` is set for events of type `message`."""

    id: int
    type: str
    op: str | None = None
    message: Message | None = None
    flags: tuple[str, ...] = ()


@model
class Events(Listing[Event]):
    """The events that one request to an event queue returned."""

    events: tuple[Event, ...]

    @property
    def rows(self) -> tuple[Event, ...]:
        """The events, the oldest first."""
        return self.events
