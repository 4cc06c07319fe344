"""Connections that can bypass SQLAlchemy, whose overhead is longer than most statements take."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection


class DirectConnection(AsyncConnection):
    """SQLAlchemy's connection, which also gives direct access to its driver in the same transaction.

    Texts and parameters are in the driver's own form. SQLAlchemy's listeners for events before a statement are called
    both ways.
    """

    text_dialect: Dialect
    """The dialect for compiling texts for the driver."""

    @abstractmethod
    async def ask(self, statement: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows of a statement. Raises SQLAlchemy's IntegrityError for a row that breaks a rule, otherwise the
        driver's errors.
        """

    @abstractmethod
    async def ask_each(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a statement that returns no rows, once for each of a few sets of parameters. Raises like `ask`."""

    def tell_listeners(self, statement: str, parameters: Any) -> None:  # noqa: ANN401  as SQLAlchemy has it
        """Call the listeners for SQLAlchemy's event `before_cursor_execute`."""
        for listener in self.sync_engine.dispatch.before_cursor_execute:
            listener(self.sync_connection, None, statement, parameters, None, False)
