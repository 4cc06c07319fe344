"""Counts the steps that a request makes without giving other work a turn."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from functools import cache
from types import FrameType
from typing import TypeVar

from keybearer.server.web import rendering

T = TypeVar("T")


@cache
def _load_templates() -> None:
    """Load all templates, which a server does in the background soon after its start."""
    environment = rendering._environment()
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


async def most_steps_at_once(act: Awaitable[T]) -> tuple[T, int]:
    """The result, and the largest number of calls of functions between two turns of other work in the event loop.

    Calls in threads do not count. What is done before the first pause and after the last one does.
    """
    _load_templates()
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
    await asyncio.sleep(0)  # begins the first turn, so that what is done before the first pause counts too
    steps = 0
    sys.setprofile(count)
    try:
        result = await act
        return result, max(most, steps)
    finally:
        sys.setprofile(None)
        others.cancel()
