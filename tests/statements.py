"""Counts the statements of one use case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import event
from sqlalchemy.engine import Engine

_counted: ContextVar[list[str] | None] = ContextVar("_counted", default=None)


def _note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
    statements = _counted.get()
    if statements is not None:
        statements.append(statement)


@contextmanager
def counting() -> Iterator[list[str]]:
    """The statements of the block. Those of background work do not count."""
    statements: list[str] = []
    before = _counted.set(statements)
    event.listen(Engine, "before_cursor_execute", _note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", _note)
        _counted.reset(before)
