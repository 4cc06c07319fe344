"""Listening for events as a flow: open a queue, ask for events, deliver them, and replace a lost queue. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from keybearer.client import models
from keybearer.client.flow.log import log
from keybearer.client.flow.protocol import perform
from keybearer.client.flow.retry import backoff, is_cut_handshake
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import Deliver, Flow, pause
from keybearer.client.operations import event_queues
from keybearer.client.operations.operation import Operation
from keybearer.errors import (
    APIError,
    AuthenticationRefused,
    ClientError,
    EventQueueLost,
    RateLimited,
    ServerFailed,
    TLSFailed,
    UnusableRequest,
)

T = TypeVar("T")

LONGEST_PAUSE = 600.0
"""The most seconds to wait before asking again, even if a server that limits calls asks for more."""


class Ended(Exception):
    """The listener was ended while it waited."""


def _nothing() -> None:
    pass


@dataclass(slots=True, eq=False)
class Listener:
    """What to listen to, and the queue that is open for it, if any.

    `wake` ends the wait for the current step. The event iterators set it.
    """

    registration: Operation[models.Queue]
    queue: models.Queue | None = None
    last_event_id: int = -1
    ended: bool = False
    wake: Callable[[], None] = _nothing

    def open(self, state: ClientState) -> Flow[None]:
        """Register a queue. Raises as any call does."""
        self.queue = yield from perform(state, self.registration)
        self.last_event_id = self.queue.last_event_id

    def closing_call(self) -> Operation[models.Answer] | None:
        """The call that closes the queue, the first time; None when no queue is open."""
        queue, self.queue = self.queue, None
        return None if queue is None else event_queues.deregister(queue.queue_id, timeout=5.0)

    def end(self) -> None:
        """End the listening. Any thread and any signal handler may call it."""
        self.ended = True
        self.wake()


def is_final(error: ClientError) -> bool:
    """Whether an error ends the listening once a queue was open, since waiting does not fix it.

    These are: a refused key, a deactivated account, a missing right of the key (status 403 from Zulip), and a
    certificate that is not accepted. Everything else may be a proxy in front of a server that restarts.
    """
    if isinstance(error, TLSFailed):
        return not is_cut_handshake(error)
    if isinstance(error, APIError) and error.status == 403 and not isinstance(error, RateLimited | ServerFailed):
        return True
    return isinstance(error, AuthenticationRefused | UnusableRequest)


def _is_bad_request(error: ClientError) -> bool:
    """Whether the server refuses the request itself, as when it has dropped events that the queue still needs."""
    return isinstance(error, APIError) and error.status == 400 and not isinstance(error, EventQueueLost)


def listen(state: ClientState, listener: Listener) -> Flow[None]:
    """Yield Deliver for each event except heartbeats, forever.

    The first registration must succeed, and the server must not refuse the first poll. After that, it waits and tries
    again after every error that is not `is_final`: longer each time up to a minute, or as long as the server asks. A
    lost queue is replaced, with a warning in the log, since events may be missing between the two.
    """
    if listener.queue is None:
        yield from listener.open(state)
    failures, heard = 0, False
    while True:
        try:
            if listener.queue is None:
                yield from listener.open(state)
            found = yield from _poll(state, listener)
        except ClientError as error:
            if is_final(error) or (not heard and _is_bad_request(error)):
                if isinstance(error, AuthenticationRefused):
                    listener.queue = None  # the server would not allow closing it
                raise
            failures += 1
            yield from _recover(listener, error, failures)
            continue
        failures, heard = 0, True
        for event in found:
            if event.id <= listener.last_event_id:
                continue
            listener.last_event_id = event.id
            if event.type != "heartbeat":
                yield Deliver(event)


def _recover(listener: Listener, error: ClientError, failures: int) -> Flow[None]:
    """Give up a lost queue, and wait."""
    if (isinstance(error, EventQueueLost) or _is_bad_request(error)) and listener.queue is not None:
        listener.queue = None
        log().warning(
            "The event queue is gone; opening a new one. Events may be missing in between (%s)", error.message
        )
        if failures == 1:
            return
    asked = error.retry_after if isinstance(error, RateLimited) else 0.0
    wait = min(max(backoff(failures), asked), LONGEST_PAUSE)
    log().warning("Waiting for events: %s; trying again in %.1f seconds", error, wait)
    yield from pause(wait)


def _poll(state: ClientState, listener: Listener) -> Flow[models.Events]:
    queue = listener.queue
    assert queue is not None
    longest = queue.event_queue_longpoll_timeout_seconds
    timeout = max(event_queues.LONG_POLL, longest + 10.0) if longest else None
    operation = event_queues.get_events(queue_id=queue.queue_id, last_event_id=listener.last_event_id, timeout=timeout)
    return (yield from perform(state, operation))


def of_messages(callback: Callable[[models.Message], T]) -> Callable[[models.Event], T]:
    """A callback for events that passes the message of each to a callback for messages."""
    return lambda event: callback(event.message or models.Message.parse(event["message"]))
