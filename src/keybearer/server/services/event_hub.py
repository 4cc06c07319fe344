"""Events on their way to clients: each worker has one reader of the log, and the polls that wait for its events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import final

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain import bot_events
from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import Overloaded, Refused
from keybearer.server.domain.event_log import StoredEvent
from keybearer.server.domain.event_queues import Addressees, Queue, bad_queue, heartbeat
from keybearer.server.domain.fair_turns import Whose
from keybearer.server.domain.limits import MOST_CONNECTIONS
from keybearer.server.domain.pacing import paced
from keybearer.server.services import event_tail
from keybearer.server.services.authority import read_actor
from keybearer.server.services.background import SLICE, every, in_slices, repeat, woken_by
from keybearer.server.services.event_delivery import (
    RequestedEvents,
    WireEvent,
    requested_at_once,
    requested_of,
    visible,
)
from keybearer.server.services.event_tail import EventTail
from keybearer.server.storage import event_log
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing

LOOK_EVERY = 0.08
"""Seconds between two looks for events from other workers, while polls wait here."""

NOTE_EVERY = 10.0
"""Seconds between two writes of which queues were polled: far less than a queue may be idle."""

AT_A_TIME = 5000
"""Pairs of a poll and an event that are looked at together. Each such piece of work takes some statements."""

BATCH = 500
ANSWERED_AT_ONCE = 50
"""Polls whose answers the event loop writes in one turn. Each answer may be as long as an event."""

HEARTBEAT_SPREAD = 10.0


@dataclass(eq=False, slots=True)
class _Waiting:
    """A poll that waits for events after a position in the log, up to which everything was looked at for it.

    Its future gets the events, or None if the poll must check again because the account's access has changed.
    """

    queue: Queue
    after: int
    told: asyncio.Future[list[WireEvent] | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def answer(self, told: list[WireEvent] | None) -> None:
        """Answer the poll, unless it has been answered."""
        if not self.told.done():
            self.told.set_result(told)

    def advance(self, position: int) -> None:
        """Note that there is nothing for it up to this position, unless it has been answered or has stopped waiting:
        then there may be.
        """
        if not self.told.done():
            self.after = max(self.after, position)


def _asked_by(waiting: _Waiting, fresh: Sequence[StoredEvent]) -> RequestedEvents:
    """The events that a poll gets if it may see them. None of them if the poll must check its access again first."""
    if any(stored.ends_polls_of(waiting.queue.account_id) for stored in fresh):
        waiting.answer(None)
        return RequestedEvents(waiting.queue, ())
    return requested_at_once(waiting.queue, [stored for stored in fresh if stored.id > waiting.after])


@dataclass(frozen=True, slots=True)
class _Poll:
    """How far a queue's client has read, and when it last polled."""

    at: datetime
    acknowledged_id: int


@final
class EventHub:
    """Reads the log for all polls of one worker together, and keeps its end in memory.

    `heartbeat_every` is in seconds. At most `most_polls` wait at once, because each holds a connection and other
    requests need some too.
    """

    def __init__(
        self, database: Database, ring: SecretRing, clock: Callable[[], datetime], *, heartbeat_every: float
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._written = asyncio.Event()
        self._heartbeat_every = heartbeat_every
        self._tail = EventTail()
        self._seen = 0
        self._waiting: dict[str, _Waiting] = {}
        """The polls that wait here, by queue. A later poll of a queue ends the earlier one, as in Zulip."""
        self.most_polls = MOST_CONNECTIONS // 2
        self._somebody_waits = asyncio.Event()
        self._reading = asyncio.Lock()
        self._advancing = asyncio.Lock()
        self._next_read: asyncio.Task[None] | None = None
        self._polls: dict[str, _Poll] = {}
        self._closed = False

    async def open(self) -> None:
        """Start at the end of the log."""
        async with self._database.read() as connection:
            self._seen = await event_log.last_id(connection)
            self._tail.begin(self._seen)

    def count_waiting(self) -> int:
        """How many polls wait here."""
        return len(self._waiting)

    async def run(self) -> None:
        """Look for events while polls wait, until cancelled."""
        await repeat(self.catch_up, wait=self._until_next_look, what="reading events")

    async def _until_next_look(self) -> None:
        await self._somebody_waits.wait()
        await woken_by(self._written, at_latest=LOOK_EVERY)()

    def look(self) -> None:
        """This worker has written events: polls that wait for them need not wait for the next look."""
        self._written.set()

    async def note_regularly(self) -> None:
        """Record which queues were polled, every ten seconds until cancelled, and then once more."""
        await repeat(self.note_polls, wait=every(NOTE_EVERY), what="recording the polls of queues", finally_too=True)

    async def note_polls(self) -> None:
        """Record which queues were polled, close queues that nobody polls, and delete events that everybody
        has read.
        """
        polls, self._polls = self._polls, {}
        if not polls:
            return
        try:
            for some in in_slices(list(polls.items())):
                async with self._database.write() as connection:
                    noted = [(queue_id, poll.at, poll.acknowledged_id) for queue_id, poll in some]
                    await event_log.note_polls(connection, noted)
        except BaseException:
            self._polls = polls | self._polls
            raise
        for remove in (event_log.remove_idle_queues, event_log.remove_read):
            async with self._database.write() as connection:
                await remove(connection, self._clock(), limit=SLICE)

    def close(self) -> None:
        """End all polls without events: the worker stops."""
        self._closed = True
        self._end_polls(self._waiting.values())

    def count_polls(self, account_id: int) -> int:
        """How many polls of an account currently wait."""
        return sum(waiting.queue.account_id == account_id for waiting in list(self._waiting.values()))

    def end_polls_of(self, queue_id: str) -> None:
        """End the polls of a closed queue."""
        if queue_id in self._waiting:
            self._waiting[queue_id].answer([])

    def _end_polls(self, ended: Iterable[_Waiting]) -> None:
        for waiting in ended:
            waiting.answer([])

    async def poll(self, caller: Caller, queue_id: str, last_number: int, *, dont_block: bool) -> list[WireEvent]:
        """The events of a queue after the event with that number. Waits for one, or for a heartbeat, unless
        `dont_block`.

        Raises Refused for a queue that does not exist, Overloaded if too many polls wait, and Unauthenticated as soon
        as the poll's key or session has ended, or the account is deactivated.
        """
        position = self._seen
        await self.catch_up()
        queue, after, actor = await self._begin_poll(caller, queue_id, last_number)
        whose = caller.account.person_id
        while True:
            told, after = await self._events_after(queue, after, whose)
            if told or dont_block or self._closed:
                return self._without_hidden_tokens(actor, told)
            if after < self._seen:
                continue
            # From here until the wait is set up nothing else runs, so nothing is missed.
            if not self._has_access_changed(caller, position):
                answer = await self._wait(queue, after, whose, actor.grant.expires_at)
                if answer is not None:
                    return self._without_hidden_tokens(actor, answer)
            position = self._seen
            actor = await self._check_access(caller)

    def _without_hidden_tokens(self, actor: Actor, told: list[WireEvent]) -> list[WireEvent]:
        """The events as the actor may see them. Tokens of bots are credentials."""
        if actor.may_see_credentials(self._clock()):
            return told
        return [bot_events.without_tokens(event) for event in told]

    async def _begin_poll(self, caller: Caller, queue_id: str, last_number: int) -> tuple[Queue, int, Actor]:
        """The queue, how far its client has read, and who polls. Records the poll."""
        now = self._clock()
        async with self._database.read(caller.account.person_id) as connection:
            queue = await event_log.find_queue(connection, queue_id)
            actor = await read_actor(connection, caller, now)
        noted = self._polls.get(queue_id)
        if queue is None or queue.account_id != caller.id or (noted is None and queue.is_over(now)):
            raise bad_queue(queue_id)
        read = max(queue.id_of(last_number), queue.start_id)
        if read < max(queue.acknowledged_id, noted.acknowledged_id if noted else 0):
            raise Refused(f"An event newer than {last_number} has already been pruned!")
        if read > self._seen:
            raise Refused(f"Event {last_number} was not in this queue")
        self._polls[queue_id] = _Poll(now, read)
        return queue, read, actor

    async def _check_access(self, caller: Caller) -> Actor:
        """The caller as they are now. Raises Unauthenticated or NotPermitted if they may not continue."""
        async with self._database.read(caller.account.person_id) as connection:
            return await read_actor(connection, caller, self._clock())

    async def _events_after(self, queue: Queue, after: int, whose: Whose) -> tuple[list[WireEvent], int]:
        """The events for the queue after a position in the log, and the position up to which this looked."""
        while after < (kept_after := self._tail.after):  # earlier than what this worker keeps in memory
            async with self._database.read(whose) as connection:
                older = await event_log.find_after(connection, after, limit=BATCH)
                (told,) = await visible(connection, self._ring, [await requested_of(queue, older.events)])
            read = older.events[-1].id if older.events else 0
            # Not what is kept now: events that were written after this read may have been forgotten meanwhile.
            after = max(kept_after, read) if older.is_last else read
            if told:
                return told, after
        kept, after = self._tail.since(after), max(after, self._seen)
        asked = await requested_of(queue, kept)
        if not asked.found:
            return [], after
        async with self._database.read(whose) as connection:
            (told,) = await visible(connection, self._ring, [asked])
        return told, after

    def _has_access_changed(self, caller: Caller, position: int) -> bool:
        is_forgotten = position < self._tail.after
        return is_forgotten or any(stored.ends_polls_of(caller.id) for stored in self._tail.since(position))

    async def _wait(self, queue: Queue, after: int, whose: Whose, ends_at: datetime | None) -> list[WireEvent] | None:
        """The next events for the queue. None if the poll must check again, for example because its key ends."""
        self.end_polls_of(queue.id)
        if queue.id not in self._waiting and len(self._waiting) >= self.most_polls:
            raise Overloaded
        waiting = self._waiting[queue.id] = _Waiting(queue, after)
        self._somebody_waits.set()
        spread = random.uniform(0, min(HEARTBEAT_SPREAD, self._heartbeat_every))  # noqa: S311  so that not all return at once
        seconds = self._heartbeat_every + spread
        left = seconds if ends_at is None else (ends_at - self._clock()).total_seconds()
        try:
            return await asyncio.wait_for(waiting.told, min(seconds, left))
        except TimeoutError:
            if left < seconds:
                return None
            await self._advance_past(after)
            told, after = await self._events_after(queue, waiting.after, whose)
            return told or [heartbeat(queue, after)]
        finally:
            if self._waiting.get(queue.id) is waiting:
                del self._waiting[queue.id]
            if not self._waiting:
                self._somebody_waits.clear()
            noted = self._polls.get(queue.id)
            read = noted.acknowledged_id if noted else queue.acknowledged_id
            self._polls[queue.id] = _Poll(self._clock(), max(read, queue.acknowledged_id))

    async def _advance_past(self, event_id: int) -> None:
        """Take a number for heartbeats if nothing was written since that event: one for all polls that wait here."""
        async with self._advancing:
            if self._seen <= event_id:
                async with self._database.write() as connection:
                    await event_log.advance(connection, by=1)
                await self.catch_up()

    async def catch_up(self) -> None:
        """Read every event that was committed before this call. Concurrent calls share one read."""
        if self._next_read is None:
            self._next_read = asyncio.create_task(self._read_in_turn())
        await asyncio.shield(self._next_read)

    async def _read_in_turn(self) -> None:
        async with self._reading:
            self._next_read = None  # later callers may know of events that this read does not see
            await self._read()

    async def _read(self) -> None:
        async with self._database.read() as connection:
            last = await event_log.last_id(connection)
            if last - self._seen > event_tail.MOST and not self._waiting:
                self._tail.begin(last)
                self._seen = last
            while self._seen < last:
                fresh = await event_log.find_after(connection, self._seen, limit=BATCH)
                await self._deliver(connection, fresh.events, last if fresh.is_last else fresh.events[-1].id)

    async def _deliver(self, connection: AsyncConnection, fresh: Sequence[StoredEvent], seen: int) -> None:
        self._tail.add(fresh)
        self._seen = seen
        everybody, addressees = list(self._waiting.values()), Addressees(fresh)
        concerned = []
        for waiting in everybody:
            if addressees.may_include(waiting.queue):
                concerned.append(waiting)
            else:
                waiting.advance(seen)
        try:
            for piece in in_slices(concerned, max(1, AT_A_TIME // max(1, len(fresh)))):
                await self._answer(connection, piece, fresh)
                for waiting in piece:
                    waiting.advance(seen)
        except BaseException:
            for waiting in everybody:
                waiting.answer(None)  # each poll then reads the log itself
            raise

    async def _answer(
        self, connection: AsyncConnection, polls: Sequence[_Waiting], fresh: Sequence[StoredEvent]
    ) -> None:
        """Answer those of these polls that get one of the events."""
        looked_at = await paced(partial(_asked_by, fresh=fresh), polls)
        asked = [(waiting, each) for waiting, each in zip(polls, looked_at, strict=True) if each.found]
        found = await visible(connection, self._ring, [each for _, each in asked])
        for number, ((waiting, _), told) in enumerate(zip(asked, found, strict=True), start=1):
            if told:
                waiting.answer(told)
            if number % ANSWERED_AT_ONCE == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
