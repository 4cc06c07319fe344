"""Going through much in the event loop without keeping it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 500
"""Things that are done before others have a turn: a few milliseconds of work."""


async def paced(make: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """What `make` makes of each, with a turn for others after every few."""
    made: list[R] = []
    for thing in things:
        made.append(make(thing))
        if not len(made) % AT_ONCE:
            await asyncio.sleep(0)
    return made
