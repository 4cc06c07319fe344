"""Statements that are built and compiled once, for queries that nearly every request makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, final

from sqlalchemy import CompoundSelect, Delete, Dialect, Insert, Select, Update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.pacing import paced
from keybearer.server.storage.direct import DirectConnection

Row = Sequence[Any]
Convert = Callable[[Any], Any]
Statement = Select[Any] | CompoundSelect[Any] | Insert | Update | Delete


@final
class Prepared:
    """A statement whose parameters are named with `bindparam`, and with `columns` for an INSERT.

    It is passed to the driver directly, which takes a tenth of the time that SQLAlchemy takes for the same. Instead of
    the statement it can have a function that builds it: then only the text is kept, which takes much less memory.
    """

    def __init__(self, statement: Statement | Callable[[], Statement], *, columns: Sequence[str] = ()) -> None:
        self._built = statement
        self._columns = columns
        self._texts: dict[str, _Text] = {}

    async def rows(self, connection: AsyncConnection, **parameters: object) -> Sequence[Row]:
        """All rows, in the order of the statement's columns."""
        if isinstance(connection, DirectConnection):
            return await self._text(connection.text_dialect).rows(connection, parameters)
        return (await connection.execute(self._statement, parameters)).all()

    async def row(self, connection: AsyncConnection, **parameters: object) -> Row | None:
        """The only row, or None if there is none."""
        found = await self.rows(connection, **parameters)
        return found[0] if found else None

    async def values(self, connection: AsyncConnection, **parameters: object) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in await self.rows(connection, **parameters)]

    async def records(self, connection: AsyncConnection, **parameters: object) -> list[dict[str, Any]]:
        """All rows, by the names of their columns."""
        names = self._names
        return await paced(lambda row: dict(zip(names, row, strict=True)), await self.rows(connection, **parameters))

    async def record(self, connection: AsyncConnection, **parameters: object) -> Mapping[str, Any] | None:
        """The only row, by the names of its columns, or None if there is none."""
        found = await self.records(connection, **parameters)
        return found[0] if found else None

    async def run(self, connection: AsyncConnection, **parameters: object) -> None:
        """Execute a statement that returns no rows."""
        if isinstance(connection, DirectConnection):
            await self._text(connection.text_dialect).rows(connection, parameters)
        else:
            await connection.execute(self._statement, parameters)

    async def run_each(self, connection: AsyncConnection, rows: Sequence[Mapping[str, object]]) -> None:
        """Execute a statement that returns no rows, once for each of these sets of parameters."""
        if isinstance(connection, DirectConnection):
            await self._text(connection.text_dialect).run_each(connection, rows)
        elif rows:
            await connection.execute(self._statement, rows)

    @property
    def _statement(self) -> Statement:
        return self._built() if callable(self._built) else self._built

    @cached_property
    def _names(self) -> Sequence[str]:
        return [column.key or "" for column in self._statement.exported_columns]

    def _text(self, dialect: Dialect) -> _Text:
        text = self._texts.get(dialect.name)
        if text is None:
            text = self._texts[dialect.name] = _Text(self._statement, self._columns, dialect)
        return text


class _Text:
    """The text of a statement for a driver, and how its parameters and rows are converted."""

    def __init__(self, statement: Statement, columns: Sequence[str], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(columns) or None)
        self._text = str(compiled)
        self._parameters: list[tuple[str, Any, Convert | None]] = []
        for name in compiled.positiontup or ():
            bound = compiled.binds[name]
            converts = bound.type.dialect_impl(dialect).bind_processor(dialect)
            self._parameters.append((name, bound.effective_value, converts))
        self._converted: list[tuple[int, Convert]] = []
        for place, column in enumerate(statement.exported_columns):
            convert = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if convert is not None:
                self._converted.append((place, convert))

    def _values(self, given: Mapping[str, object]) -> list[Any]:
        values = []
        for name, default, convert in self._parameters:
            value = given.get(name, default)
            values.append(value if convert is None else convert(value))
        return values

    async def run_each(self, connection: DirectConnection, rows: Sequence[Mapping[str, object]]) -> None:
        if len(rows) == 1:
            await connection.ask(self._text, self._values(rows[0]))
        elif rows:
            await connection.ask_each(self._text, await paced(self._values, rows))

    async def rows(self, connection: DirectConnection, given: Mapping[str, object]) -> Sequence[Row]:
        found = await connection.ask(self._text, self._values(given))
        if not self._converted:
            return found
        return await paced(self._with_values, found)

    def _with_values(self, found: Row) -> Row:
        row = list(found)
        for place, convert in self._converted:
            row[place] = convert(row[place])
        return row
