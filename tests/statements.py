"""Counts the statements of one use case, and the rows that they read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from sqlalchemy import event
from sqlalchemy.engine import Engine


class Statement(NamedTuple):
    """A statement with its parameters, in the driver's form."""

    text: str
    parameters: Any


class _Noted(NamedTuple):
    texts: list[str]
    statements: list[Statement]


_counted: ContextVar[_Noted | None] = ContextVar("_counted", default=None)


def _note(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
    noted = _counted.get()
    if noted is not None:
        noted.texts.append(statement)
        noted.statements.append(Statement(statement, parameters))


@contextmanager
def _noting() -> Iterator[_Noted]:
    noted = _Noted([], [])
    before = _counted.set(noted)
    event.listen(Engine, "before_cursor_execute", _note)
    try:
        yield noted
    finally:
        event.remove(Engine, "before_cursor_execute", _note)
        _counted.reset(before)


@contextmanager
def counting() -> Iterator[list[str]]:
    """The statements of the block. Those of background work do not count."""
    with _noting() as noted:
        yield noted.texts


@contextmanager
def noting() -> Iterator[list[Statement]]:
    """The same with their parameters, so that they can be executed again."""
    with _noting() as noted:
        yield noted.statements
