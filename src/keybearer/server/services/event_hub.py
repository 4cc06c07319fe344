"""Events on their way to clients: one reader of the log in each worker, and the polls that wait for what it reads."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import final

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain import bot_events
from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import Overloaded, Refused
from keybearer.server.domain.event_log import StoredEvent
from keybearer.server.domain.event_queues import Queue, bad_queue, heartbeat
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import MOST_CONNECTIONS
from keybearer.server.services.authority import read_actor
from keybearer.server.services.background import SLICE, every, in_slices, repeat, woken_by
from keybearer.server.services.event_delivery import Asked, WireEvent, visible
from keybearer.server.storage import event_log
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing

LOOK_EVERY = 0.08
"""Seconds between two looks for events that other workers wrote, while somebody waits here."""

NOTE_EVERY = 10.0
"""Seconds between two writes of which queues were asked: far less than any queue may be idle."""

TAIL = 2000
"""Events that a worker remembers, so that a poll need not read them again."""

TAIL_SIZE = 8_000_000
"""Characters of the events that a worker remembers: as much as one poll is told at the most."""

BATCH = 500
AT_ONCE = 500
"""Polls that are looked through at once: other requests have their turn in between."""

HEARTBEAT_SPREAD = 10.0


@dataclass(eq=False, slots=True)
class _Waiting:
    """A poll that waits for what comes after a place in the log.

    Its future gets the events for it, or None when it has to check for itself: the account's access has changed.
    """

    queue: Queue
    after: int
    told: asyncio.Future[list[WireEvent] | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def answer(self, told: list[WireEvent] | None) -> None:
        """Answer the poll, unless it is answered."""
        if not self.told.done():
            self.told.set_result(told)


@dataclass(frozen=True, slots=True)
class _Poll:
    """How far a queue's client has read, and when it last asked."""

    at: datetime
    acknowledged_id: int


@final
class EventHub:
    """Reads the log for every poll of one worker together, and remembers its end.

    `heartbeat_every` is in seconds. No more than `most_polls` wait at once: each holds a connection, and other requests
    need some too.
    """

    def __init__(
        self, database: Database, ring: SecretRing, clock: Callable[[], datetime], *, heartbeat_every: float
    ) -> None:
        self._database = database
        self._ring = ring
        self._clock = clock
        self._written = asyncio.Event()
        self._heartbeat_every = heartbeat_every
        self._tail: deque[StoredEvent] = deque()
        self._tail_size = 0
        self._tail_after = 0
        self._seen = 0
        self._waiting: dict[str, _Waiting] = {}
        """The polls that wait here, by their queues: a later poll of a queue ends the earlier one, as in Zulip."""
        self.most_polls = MOST_CONNECTIONS // 2
        self._somebody_waits = asyncio.Event()
        self._reading = asyncio.Lock()
        self._advancing = asyncio.Lock()
        self._next_read: asyncio.Task[None] | None = None
        self._polls: dict[str, _Poll] = {}
        self._closed = False

    async def open(self) -> None:
        """Begin at the end of the log."""
        async with self._database.read() as connection:
            self._seen = self._tail_after = await event_log.last_id(connection)

    def count_waiting(self) -> int:
        """How many polls wait here."""
        return len(self._waiting)

    async def run(self) -> None:
        """Look for events while somebody waits, until cancelled."""
        await repeat(self.catch_up, wait=self._until_next_look, what="reading events")

    async def _until_next_look(self) -> None:
        await self._somebody_waits.wait()
        await woken_by(self._written, at_latest=LOOK_EVERY)()

    def look(self) -> None:
        """This worker has written events: who waits for some need not wait for the next look."""
        self._written.set()

    async def note_regularly(self) -> None:
        """Write down which queues were asked, every ten seconds until cancelled, and then once more."""
        await repeat(self.note_polls, wait=every(NOTE_EVERY), what="noting the polls of queues", finally_too=True)

    async def note_polls(self) -> None:
        """Write down which queues were asked; close those that nobody asks, and forget what everybody has read."""
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
        """End every poll, with nothing to tell: the worker stops."""
        self._closed = True
        self._end_polls(self._waiting.values())

    def count_polls(self, account_id: int) -> int:
        """How many polls of an account wait at this moment."""
        return sum(waiting.queue.account_id == account_id for waiting in list(self._waiting.values()))

    def end_polls_of(self, queue_id: str) -> None:
        """End the polls of a queue that is closed."""
        if queue_id in self._waiting:
            self._waiting[queue_id].answer([])

    def _end_polls(self, ended: Iterable[_Waiting]) -> None:
        for waiting in ended:
            waiting.answer([])

    async def poll(self, caller: Caller, queue_id: str, last_number: int, *, dont_block: bool) -> list[WireEvent]:
        """The events of a queue after the one of that number; waits for one, or a heartbeat, unless told not to.

        Raises Refused for a queue that is not there, Overloaded where too many polls wait, and Unauthenticated as soon
        as the key that came with the poll ends, its session ended, or the account deactivated.
        """
        position = self._seen
        await self.catch_up()
        queue, after, actor = await self._asked(caller, queue_id, last_number)
        while True:
            told, after = await self._told_after(queue, after)
            if told or dont_block or self._closed:
                return _shown(actor, told)
            if after < self._seen:
                continue
            # From here to the end of the set-up of the wait nothing else runs, so nothing is missed.
            if not self._has_access_changed(caller, position):
                answer = await self._wait(queue, after, actor.grant.expires_at)
                if answer is not None:
                    return _shown(actor, answer)
            position = self._seen
            actor = await self._check_access(caller)

    async def _asked(self, caller: Caller, queue_id: str, last_number: int) -> tuple[Queue, int, Actor]:
        """The queue, how far its client has read, and who asks. Notes that it was asked."""
        now = self._clock()
        async with self._database.read() as connection:
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
        """The caller as they are now. Raises Unauthenticated or NotPermitted where the caller may not go on."""
        async with self._database.read() as connection:
            return await read_actor(connection, caller, self._clock())

    async def _told_after(self, queue: Queue, after: int) -> tuple[list[WireEvent], int]:
        """The events for the queue after a place in the log, and how far this looked."""
        while after < self._tail_after:  # further back than this worker remembers
            async with self._database.read() as connection:
                older = await event_log.find_after(connection, after, limit=BATCH)
                (told,) = await visible(connection, self._ring, [Asked(queue, older.events)])
            read = older.events[-1].id if older.events else 0
            after = max(self._tail_after, read) if older.is_last else read
            if told:
                return told, after
        asked, after = Asked(queue, self._since(after)), max(after, self._seen)
        if not asked.found:
            return [], after
        async with self._database.read() as connection:
            (told,) = await visible(connection, self._ring, [asked])
        return told, after

    def _since(self, after: int) -> list[StoredEvent]:
        """What this worker remembers from after a place in the log."""
        later = list(takewhile(lambda stored: stored.id > after, reversed(self._tail)))
        return later[::-1]

    def _has_access_changed(self, caller: Caller, position: int) -> bool:
        is_forgotten = position < self._tail_after
        return is_forgotten or any(stored.ends_polls_of(caller.id) for stored in self._since(position))

    async def _wait(self, queue: Queue, after: int, ends_at: datetime | None) -> list[WireEvent] | None:
        """The next events for the queue; None where the poll must check for itself, as when its key ends."""
        self.end_polls_of(queue.id)
        if queue.id not in self._waiting and len(self._waiting) >= self.most_polls:
            raise Overloaded
        waiting = self._waiting[queue.id] = _Waiting(queue, after)
        self._somebody_waits.set()
        spread = random.uniform(0, min(HEARTBEAT_SPREAD, self._heartbeat_every))  # noqa: S311  so that not all come at once
        seconds = self._heartbeat_every + spread
        left = seconds if ends_at is None else (ends_at - self._clock()).total_seconds()
        try:
            return await asyncio.wait_for(waiting.told, min(seconds, left))
        except TimeoutError:
            if left < seconds:
                return None
            await self._go_beyond(after)
            told, after = await self._told_after(queue, after)
            return told or [heartbeat(queue, after)]
        finally:
            if self._waiting.get(queue.id) is waiting:
                del self._waiting[queue.id]
            if not self._waiting:
                self._somebody_waits.clear()
            noted = self._polls.get(queue.id)
            read = noted.acknowledged_id if noted else queue.acknowledged_id
            self._polls[queue.id] = _Poll(self._clock(), max(read, queue.acknowledged_id))

    async def _go_beyond(self, event_id: int) -> None:
        """Take a number for heartbeats where nothing was written since that event: one for all who wait here."""
        async with self._advancing:
            if self._seen <= event_id:
                async with self._database.write() as connection:
                    await event_log.advance(connection, by=1)
                await self.catch_up()

    async def catch_up(self) -> None:
        """Know of every event that was committed before this call. Those who call together read together."""
        if self._next_read is None:
            self._next_read = asyncio.create_task(self._read_in_turn())
        await asyncio.shield(self._next_read)

    async def _read_in_turn(self) -> None:
        async with self._reading:
            self._next_read = None  # whoever comes from here on may know of more than this read will see
            await self._read()

    async def _read(self) -> None:
        async with self._database.read() as connection:
            last = await event_log.last_id(connection)
            if last - self._seen > TAIL and not self._waiting:
                self._tail.clear()
                self._tail_size = 0
                self._tail_after = self._seen = last
            while self._seen < last:
                fresh = await event_log.find_after(connection, self._seen, limit=BATCH)
                await self._take(connection, fresh.events, last if fresh.is_last else fresh.events[-1].id)

    async def _take(self, connection: AsyncConnection, fresh: Sequence[StoredEvent], seen: int) -> None:
        self._tail.extend(fresh)
        self._tail_size += sum(stored.size for stored in fresh)
        while len(self._tail) > TAIL or self._tail_size > TAIL_SIZE:
            forgotten = self._tail.popleft()
            self._tail_size -= forgotten.size
            self._tail_after = forgotten.id
        self._seen = seen
        everybody = list(self._waiting.values())
        asked: list[tuple[_Waiting, Asked]] = []
        try:
            for number, waiting in enumerate(everybody, start=1):
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
                if any(stored.ends_polls_of(waiting.queue.account_id) for stored in fresh):
                    waiting.answer(None)
                    continue
                each = Asked(waiting.queue, [stored for stored in fresh if stored.id > waiting.after])
                if each.found:
                    asked.append((waiting, each))
            for (waiting, _), told in zip(
                asked, await visible(connection, self._ring, [each for _, each in asked]), strict=True
            ):
                if told:
                    waiting.answer(told)
        except BaseException:
            for waiting in everybody:
                waiting.answer(None)  # each poll then reads the log itself
            raise


def _shown(actor: Actor, told: list[WireEvent]) -> list[WireEvent]:
    """The events as the actor may see them: tokens of bots are credentials, and need the scope of keys."""
    if Scope.KEYS in actor.grant.scopes:
        return told
    return [bot_events.without_tokens(event) for event in told]
