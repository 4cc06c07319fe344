"""Work that would hold up the event loop for too long: one thread in each worker, with a limit on waiting jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, final

from keybearer.server.domain.limits import MOST_LONG_WORK, MOST_LONG_WORK_OF_ONE
from keybearer.server.services.turns import Turns

P = ParamSpec("P")
T = TypeVar("T")


@final
class LongWork:
    """Runs functions in a thread, one after the other.

    Callers that ask for much wait for themselves: only one job of each account or address waits for the thread at a
    time.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "long-work")
        self._turns = Turns(most=MOST_LONG_WORK, most_of_one=MOST_LONG_WORK_OF_ONE)

    async def run(self, of: int | str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the function. `of` is the account or address for which it is run.

        Raises Overloaded if too much is already waiting. A job whose request ends early is still finished.
        """
        async with self._turns.turn(of):
            return await asyncio.wrap_future(self._thread.submit(function, *args, **kwargs))
