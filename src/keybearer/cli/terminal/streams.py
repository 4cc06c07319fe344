"""Prepares standard streams that the shell has closed (`keybearer show >&-`) or that cannot show every character."""

from __future__ import annotations

import io
import os
import sys
from typing import NoReturn

from keybearer.errors import KeybearerError


class _Closed(io.TextIOBase):
    """A closed stream: reading and writing raise an error that says so."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def buffer(self) -> _Closed:
        return self

    def read(self, size: int | None = -1) -> NoReturn:
        self._refuse("Give the command something to read, such as </dev/null")

    def readline(self, size: int | None = -1) -> NoReturn:
        self.read()

    def write(self, text: object) -> NoReturn:
        self._refuse("Give the command a place to write to, such as >/dev/null")

    def _refuse(self, hint: str) -> NoReturn:
        raise KeybearerError(f"Standard {self._name} is closed", hint=hint)


def prepare() -> None:
    """Make the standard streams usable.

    A closed stream raises KeybearerError when it is used. Its number is reserved, so that no later file gets it.
    Programs that this one starts or becomes still find it closed.
    """
    if sys.stdin is None:
        sys.stdin = _Closed("input")
    if sys.stdout is None:
        sys.stdout = _Closed("output")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a name that the terminal cannot show must not cause a failure
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def require_output() -> None:
    """Raise KeybearerError if standard output is closed: before a key is issued that could only be lost."""
    if isinstance(sys.stdout, _Closed):
        raise KeybearerError("Standard output is closed", hint="Nothing was changed")
