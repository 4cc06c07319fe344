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
class Turns:
    """Lets one job of each account or address run at a time, and limits how many wait."""

    def __init__(self, *, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._turns: dict[int | str, _Turn] = {}
        self._jobs = 0

    @asynccontextmanager
    async def turn(self, of: int | str) -> AsyncIterator[None]:
        """Wait until no other job of this account or address runs. Raises Overloaded if too many wait already."""
        turn = self._turns.setdefault(of, _Turn())
        if self._jobs >= self._most or turn.jobs >= self._most_of_one:
            raise Overloaded
        self._jobs += 1
        turn.jobs += 1
        try:
            async with turn.lock:
                yield
        finally:
            self._jobs -= 1
            turn.jobs -= 1
            if not turn.jobs:
                del self._turns[of]
