"""Long loops that let other work run in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 500
"""Items between two pauses: a few milliseconds of work."""


async def paced(make: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """What `make` returns for each item. Other work gets a turn after every few items."""
    made: list[R] = []
    for thing in things:
        made.append(make(thing))
        if not len(made) % AT_ONCE:
            await asyncio.sleep(0)
    return made
