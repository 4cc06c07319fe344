"""Work that would keep the event loop for too long: one thread in each worker, with a bound on what waits for it."""

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
    """The pieces of work of one account or address. One of them at a time asks for the thread."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    pieces: int = 0


@final
class LongWork:
    """Runs functions in a thread, one after the other.

    Whoever asks for much waits for themselves: of each account or address only one piece of work at a time waits for
    the thread.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "long-work")
        self._turns: dict[int | str, _Turn] = {}
        self._pieces = 0

    async def run(self, of: int | str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns; `of` is the account or address that it is done for.

        Raises Overloaded where too much waits already. A piece of work whose request ends early is still finished.
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
