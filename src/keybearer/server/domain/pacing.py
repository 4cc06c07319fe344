"""Long loops that let other work run in the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 500
"""Items between two pauses: a few milliseconds of work. A statement pauses after as many rows."""

LONGEST = 0.005
"""Seconds between two pauses, if the items are large."""


async def paced(make: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """What `make` returns for each item. Other work gets a turn after every few items."""
    made: list[R] = []
    until = time.monotonic() + LONGEST
    for thing in things:
        made.append(make(thing))
        if not len(made) % AT_ONCE or time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + LONGEST
    return made
