"""Turns that are shared fairly: whoever asks for many at once waits for themselves, and not everybody for them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import final

Whose = int | str | None
"""For whom a task works: the id of a person, the network of a stranger, or None for the server itself."""


@final
class FairTurns:
    """Turns for a number of tasks at a time. Those that wait are served in rounds: one task of each person or network,
    then the next of each. Among themselves, tasks of the same are served in the order in which they asked.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._most = most
        self._waiting: dict[Whose, deque[asyncio.Future[None]]] = {}
        """The waiting tasks of each. Whoever is next is first."""

    @property
    def in_use(self) -> int:
        """How many turns are taken."""
        return self._most - self._free

    async def take(self, whose: Whose) -> None:
        """Wait for a turn."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(whose, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def pass_on(self) -> bool:
        """Give the caller's turn to whoever is next. Returns False if nobody waits; then the caller keeps it."""
        while self._waiting:
            whose = next(iter(self._waiting))
            tasks = self._waiting.pop(whose)
            turn = tasks.popleft()
            if tasks:
                self._waiting[whose] = tasks
            if not turn.done():
                turn.set_result(None)
                return True
        return False

    def give_back(self) -> None:
        """End the caller's turn."""
        if not self.pass_on():
            self._free += 1
