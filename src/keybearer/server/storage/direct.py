"""Connections that can also be asked past SQLAlchemy, whose way to the driver takes longer than most statements."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

MANY = 1000
"""Rows from which on writing them is left to SQLAlchemy."""


class DirectConnection(AsyncConnection):
    """SQLAlchemy's connection, whose driver can be asked in the same transaction.

    Texts and parameters are in the driver's own form. Events of SQLAlchemy before a statement are told of both ways.
    """

    text_dialect: Dialect
    """What texts for the driver are compiled with."""

    @abstractmethod
    async def ask(self, statement: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Every row of a statement. Raises SQLAlchemy's IntegrityError for a row that breaks a rule, else the driver's
        errors."""

    @abstractmethod
    async def ask_each(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Carry out a statement that gives no rows, with each of a few parameters. Raises as `ask`."""

    def tell_listeners(self, statement: str, parameters: Any) -> None:  # noqa: ANN401  as SQLAlchemy has it
        """Call those who listen for SQLAlchemy's event `before_cursor_execute`."""
        for listener in self.sync_engine.dispatch.before_cursor_execute:
            listener(self.sync_connection, None, statement, parameters, None, False)
