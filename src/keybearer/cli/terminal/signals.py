"""Signals that stop a command: it cleans up and ends with 128 and the signal's number, without a traceback."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""What stops a command besides Ctrl-C."""


class Terminated(KeyboardInterrupt):
    """The command must stop, as after Ctrl-C. `number` is that of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """While the block runs, Ctrl-C raises KeyboardInterrupt, and SIGTERM and SIGHUP raise Terminated.

    A signal that is ignored stays ignored, as `nohup` and background jobs of shells expect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *STOPPING)}
    wanted: dict[int, Callable[[int, FrameType | None], object]] = {
        signal.SIGINT: signal.default_int_handler,
        **dict.fromkeys(STOPPING, terminate),
    }
    for number, stop in wanted.items():
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is wanted[number]:  # else the command has set its own
                signal.signal(number, handler)


@contextlib.contextmanager
def kept_from_threads() -> Iterator[None]:
    """Threads that start in the block never get a stopping signal, so it always interrupts the main thread.

    A thread blocks the signals that its creator blocked. Which thread gets a signal is up to the system.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, *STOPPING])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Raise Terminated at any point of the command."""
    raise Terminated(number)
