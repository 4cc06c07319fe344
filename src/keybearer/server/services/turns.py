"""Turns for work that takes long: callers that ask for much wait for themselves, and not everybody for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import final

from keybearer.server.domain.errors import Overloaded


@dataclass(slots=True)
class _Turn:
    """The jobs of one account or address. Only one of them runs at a time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    jobs: int = 0


@final
class Slot:
    """One of the slots for jobs that run at the same time, as one job has it."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._is_taken = False

    async def take(self) -> None:
        """Wait until fewer jobs run than may run."""
        await self._slots.acquire()
        self._is_taken = True

    def leave(self) -> None:
        """Let another job run."""
        if self._is_taken:
            self._is_taken = False
            self._slots.release()

    @asynccontextmanager
    async def left(self) -> AsyncIterator[None]:
        """A block that waits for something else. Meanwhile another job may run. If the block fails, the job has no
        slot any more.
        """
        self.leave()
        yield
        await self.take()


@final
class Turns:
    """Lets one job of each account or address run at a time, and limits how many run, how long, and how many wait."""

    def __init__(self, *, most: int, most_of_one: int, at_once: int = 1, seconds: float | None = None) -> None:
        """`at_once` jobs run, of different accounts. Together with those that wait there may be `most`. A job is
        cancelled when it has run for this many seconds.
        """
        self._most = most
        self._most_of_one = most_of_one
        self._running = asyncio.Semaphore(at_once)
        self._seconds = seconds
        self._turns: dict[int | str, _Turn] = {}
        self._jobs = 0

    @asynccontextmanager
    async def turn(self, of: int | str) -> AsyncIterator[Slot]:
        """Wait until no other job of this account or address runs. Gives the slot of the job.

        Raises Overloaded if too many wait already, and TimeoutError if the job has taken too long.
        """
        turn = self._turns.get(of) or _Turn()
        if self._jobs >= self._most or turn.jobs >= self._most_of_one:
            raise Overloaded
        self._turns[of] = turn
        self._jobs += 1
        turn.jobs += 1
        slot = Slot(self._running)
        try:
            async with turn.lock:
                await slot.take()
                async with asyncio.timeout(self._seconds):
                    yield slot
        finally:
            slot.leave()
            self._jobs -= 1
            turn.jobs -= 1
            if not turn.jobs:
                del self._turns[of]
