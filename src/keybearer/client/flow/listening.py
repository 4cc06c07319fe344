"""Listening for events as a flow: open a queue, ask for events, deliver them, and replace a lost queue. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from keybearer.client.flow.protocol import perform
from keybearer.client.flow.retry import backoff
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import Deliver, Flow, pause
from keybearer.client.models.base import Answer
from keybearer.client.models.event_queues import Event, Events, Queue
from keybearer.client.models.messages import Message
from keybearer.client.operations import event_queues
from keybearer.client.operations.operation import Operation
from keybearer.errors import AuthenticationRefused, EventQueueLost, RateLimited, ServerFailed, TimedOut, Unreachable

T = TypeVar("T")

TRANSIENT = (Unreachable, TimedOut, ServerFailed, RateLimited)
"""Errors that listening waits for. Any other error ends it, since waiting would not help."""

logger = logging.getLogger("keybearer.client")


@dataclass(slots=True, eq=False)
class Listener:
    """What to listen to, and the queue that is open for it, if any."""

    registration: Operation[Queue]
    queue: Queue | None = None
    last_event_id: int = -1

    def open(self, state: ClientState) -> Flow[None]:
        """Register a queue. Raises as any call does."""
        self.queue = yield from perform(state, self.registration)
        self.last_event_id = self.queue.last_event_id

    def closing_call(self) -> Operation[Answer] | None:
        """The call that closes the queue, the first time; None when no queue is open."""
        queue, self.queue = self.queue, None
        return None if queue is None else event_queues.deregister(queue.queue_id, timeout=5.0)


def listen(state: ClientState, listener: Listener) -> Flow[None]:
    """Yield Deliver for each event but heartbeats, for ever.

    The first registration must succeed. After that, temporary errors are waited for, longer each time up to a minute.
    A lost queue is replaced by a new one, with a warning in the log, since events may be missing between the two.
    Raises AuthenticationRefused when the key is refused, and every other error that waiting does not fix.
    """
    if listener.queue is None:
        yield from listener.open(state)
    failures = 0
    while True:
        try:
            if listener.queue is None:
                yield from listener.open(state)
            found = yield from _poll(state, listener)
            failures = 0
        except AuthenticationRefused:
            listener.queue = None
            raise
        except EventQueueLost:
            listener.queue = None
            failures += 1
            logger.warning("The event queue is gone; opening a new one. Events may be missing in between")
            if failures > 1:
                yield from pause(backoff(failures))
            continue
        except TRANSIENT as error:
            failures += 1
            wait = max(backoff(failures), error.retry_after if isinstance(error, RateLimited) else 0.0)
            logger.warning("Waiting for events: %s; trying again in %.1f seconds", error.message, wait)
            yield from pause(wait)
            continue
        for event in found:
            if event.id <= listener.last_event_id:
                continue
            listener.last_event_id = event.id
            if event.type != "heartbeat":
                yield Deliver(event)


def _poll(state: ClientState, listener: Listener) -> Flow[Events]:
    queue = listener.queue
    assert queue is not None
    longest = queue.event_queue_longpoll_timeout_seconds
    timeout = max(event_queues.LONG_POLL, longest + 10.0) if longest else None
    operation = event_queues.get_events(queue_id=queue.queue_id, last_event_id=listener.last_event_id, timeout=timeout)
    return (yield from perform(state, operation))


def of_messages(callback: Callable[[Message], T]) -> Callable[[Event], T]:
    """A callback for events that passes the message of each to a callback for messages."""
    return lambda event: callback(event.message or Message.parse(event["message"]))
