"""Background work: a loop that repeats a task as long as the server runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from keybearer.errors import StorageError

T = TypeVar("T")

SLICE = 500
"""Rows that background work changes in one transaction. Other writers wait no longer than that takes."""

RETRY_AFTER = 1.0
"""Seconds between a failure and the next attempt, if there is nothing else to wait for."""

_log = logging.getLogger(__name__)


async def repeat(
    work: Callable[[], Awaitable[object]],
    *,
    wait: Callable[[], Awaitable[object]],
    what: str,
    at_once: bool = False,
    finally_too: bool = False,
) -> None:
    """Wait, then work, repeatedly until cancelled.

    With `at_once` it works before the first wait, with `finally_too` once more at the end.

    A failure does not end the loop: it is logged as a failure of `what`, and the next turn tries again.
    """
    try:
        while True:
            if not at_once:
                await wait()
            at_once = False
            try:
                await work()
            except StorageError:  # the database logs it once for all work
                await asyncio.sleep(RETRY_AFTER)
            except Exception:  # noqa: BLE001  after any error, the next turn tries again
                _log.exception("%s failed; trying again", what)
                await asyncio.sleep(RETRY_AFTER)
    finally:
        if finally_too:
            await work()


def in_slices(everything: Sequence[T], size: int = SLICE) -> Iterator[Sequence[T]]:
    """A sequence in slices of at most this size, usually small enough for one transaction each."""
    return (everything[start : start + size] for start in range(0, len(everything), size))


def every(seconds: float) -> Callable[[], Awaitable[object]]:
    """A wait of that many seconds."""
    return lambda: asyncio.sleep(seconds)


def woken_by(event: asyncio.Event, *, at_latest: float) -> Callable[[], Awaitable[object]]:
    """A wait until the event is set, but at most that many seconds. It clears the event."""

    async def wait() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), at_latest)
        event.clear()

    return wait
