"""The newest events of the log, which a worker keeps in memory so that its polls need not read them again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import final

from keybearer.server.domain.event_log import StoredEvent

MOST = 2000
"""Events that are kept."""

MOST_TEXT = 8_000_000
"""Characters of the events that are kept: as much as one poll returns at most."""

SECONDS = 15.0
"""How long an event is kept. A client that continues asks again sooner, and others are answered from the log."""


@final
class EventTail:
    """The end of the log. Every event after the position `after` that the worker has read is here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """The clock counts seconds."""
        self.after = 0
        self._clock = clock
        self._events: deque[StoredEvent] = deque()
        self._size = 0
        self._arrivals: deque[tuple[float, int]] = deque()
        """When events were added, and the id of the last of them."""

    def begin(self, at: int) -> None:
        """Forget everything, and begin at a position in the log."""
        self._events.clear()
        self._arrivals.clear()
        self._size = 0
        self.after = at

    def add(self, fresh: Sequence[StoredEvent]) -> None:
        """Add the next events of the log. Older ones are forgotten if they are too many, too long or too old."""
        now = self._clock()
        while self._arrivals and self._arrivals[0][0] < now - SECONDS:
            last_id = self._arrivals.popleft()[1]
            while self._events and self._events[0].id <= last_id:
                self._forget_first()
        if fresh:
            self._arrivals.append((now, fresh[-1].id))
        self._events.extend(fresh)
        self._size += sum(stored.size for stored in fresh)
        while len(self._events) > MOST or self._size > MOST_TEXT:
            self._forget_first()

    def since(self, position: int) -> list[StoredEvent]:
        """The events after a position in the log."""
        later = list(takewhile(lambda stored: stored.id > position, reversed(self._events)))
        return later[::-1]

    def _forget_first(self) -> None:
        forgotten = self._events.popleft()
        self._size -= forgotten.size
        self.after = forgotten.id
