"""The event loop of a worker: Python's own, with fewer system calls while it is busy."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple, Unpack, final

from granian._loops import loops

NAME = "keybearer"
"""The name under which Granian finds the loop."""

LOOKS_EVERY = 0.002
"""Seconds between two looks at the sockets while there is work."""

_Arguments = TypeVarTuple("_Arguments")


@final
class _Selector(selectors.DefaultSelector):
    """A selector that is asked rarely while there is work, and that knows whether a thread has to wake it.

    A thread sets `has_work` before it reads `is_asleep`, and the loop sets `is_asleep` before it reads `has_work`. So
    of two that do this at the same moment, at least one sees the other, and no work waits for a sleeping loop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_asleep = False
        self.has_work = False
        self._looked_at = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0 and time.monotonic() - self._looked_at < LOOKS_EVERY:
            return []
        self.is_asleep = True
        if self.has_work:
            self.has_work = False
            timeout = 0
        try:
            return super().select(timeout)
        finally:
            self.is_asleep = False
            self._looked_at = time.monotonic()


@final
class WorkerLoop(asyncio.SelectorEventLoop):
    """Python's event loop for a worker of Granian, which passes every request to it from another thread.

    For each such call, Python's loop writes a byte to a socket, even if it is busy and looks for new work by itself. It
    also looks at its sockets before each round of work. Both release the interpreter's lock, and each time the lock
    moves to another thread and back, which costs a busy server a tenth of its time.
    """

    def __init__(self) -> None:
        self._waking = _Selector()
        super().__init__(self._waking)

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[_Arguments]], object], *args: *_Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        if self.get_debug():
            return super().call_soon_threadsafe(callback, *args, context=context)
        handle = self.call_soon(callback, *args, context=context)
        waking = self._waking
        waking.has_work = True
        if waking.is_asleep:
            waking.is_asleep = False  # it is woken once for all
            super().call_soon_threadsafe(_nothing)
        return handle


def _nothing() -> None:
    """Do nothing. Called by a loop that was woken for what was added before."""


@loops.register(NAME)
def _new_loop() -> asyncio.AbstractEventLoop:
    loop = WorkerLoop()
    asyncio.set_event_loop(loop)
    return loop
