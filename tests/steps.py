"""Counts the steps that a request makes without giving other work a turn."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


async def most_steps_at_once(act: Awaitable[T]) -> tuple[T, int]:
    """The result, and the largest number of calls of functions between two turns of other work in the event loop.

    Calls in threads do not count.
    """
    steps = most = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    async def take_turns() -> None:
        nonlocal steps, most
        while True:
            steps = 0
            await asyncio.sleep(0)
            most = max(most, steps)

    others = asyncio.create_task(take_turns())
    sys.setprofile(count)
    try:
        return await act, most
    finally:
        sys.setprofile(None)
        others.cancel()
