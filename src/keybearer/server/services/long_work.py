"""Work that would hold up the event loop for too long: one thread in each worker, with a limit on waiting jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar, final

from keybearer.server.domain.errors import Overloaded
from keybearer.server.domain.limits import MOST_LONG_WORK, MOST_LONG_WORK_OF_ONE

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class _Turn:
    """The jobs of one account or address. Only one of them at a time asks for the thread."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    pieces: int = 0


@final
class LongWork:
    """Runs functions in a thread, one after the other.

    Callers that ask for much wait for themselves: only one job of each account or address waits for the thread at a
    time.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "long-work")
        self._turns: dict[int | str, _Turn] = {}
        self._pieces = 0

    async def run(self, of: int | str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the function. `of` is the account or address for which it is run.

        Raises Overloaded if too much is already waiting. A job whose request ends early is still finished.
        """
        turn = self._turns.setdefault(of, _Turn())
        if self._pieces >= MOST_LONG_WORK or turn.pieces >= MOST_LONG_WORK_OF_ONE:
            raise Overloaded
        self._pieces += 1
        turn.pieces += 1
        try:
            async with turn.lock:
                return await asyncio.wrap_future(self._thread.submit(function, *args, **kwargs))
        finally:
            self._pieces -= 1
            turn.pieces -= 1
            if not turn.pieces:
                del self._turns[of]
