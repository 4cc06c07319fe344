"""A sign on the terminal that the command is still working."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from keybearer.cli.terminal.output import is_dumb, is_terminal
from keybearer.cli.terminal.signals import kept_from_threads
from keybearer.cli.terminal.text import one_line

if TYPE_CHECKING:
    from rich.status import Status

PATIENCE = 0.4
"""Seconds before the spinner appears. Faster work needs no spinner and does not load one."""


@contextlib.contextmanager
def spinner(text: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner on stderr while the block runs, if it takes long. Yields a function that changes the text."""
    if not is_terminal(sys.stderr) or is_dumb():
        yield lambda text: None
        return
    spinning = _Spinning(text)
    timer = threading.Timer(PATIENCE, spinning.start)
    timer.daemon = True
    with kept_from_threads():
        timer.start()
    try:
        yield spinning.change_text
    finally:
        timer.cancel()
        spinning.stop()


class _Spinning:
    """The spinner. A timer's thread starts it and the main thread stops it, in any order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._status: Status | None = None
        self._over = False
        self._lock = threading.Lock()

    def start(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only who waits for long waits for it too
        from rich.text import Text  # noqa: PLC0415

        with self._lock:
            if not self._over:
                self._status = Console(stderr=True).status(Text(one_line(self._text)))
                self._status.start()

    def change_text(self, text: str) -> None:
        self._text = text
        if self._status is not None:
            from rich.text import Text  # noqa: PLC0415

            self._status.update(Text(one_line(text), no_wrap=True, overflow="ellipsis"))

    def stop(self) -> None:
        with self._lock:
            self._over = True
            if self._status is not None:
                self._status.stop()
