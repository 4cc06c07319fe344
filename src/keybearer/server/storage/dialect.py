"""Where SQL differs between SQLite and PostgreSQL. How to connect to each is in `sqlite.py` and `postgresql.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Delete,
    Dialect,
    Integer,
    Select,
    Table,
    Text,
    TypeDecorator,
    Update,
    bindparam,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine

from keybearer.server.storage.prepared import Prepared

SelectT = TypeVar("SelectT", bound=Select[Any])
ChangeT = TypeVar("ChangeT", Update, Delete)
CHANGES_MANY = "changes_many"
"""The execution option of `changing_many`."""

_SMALLEST, _LARGEST = -(2**31), 2**31 - 1
"""The range of PostgreSQL's `integer`."""

Insert = postgresql.Insert | sqlite.Insert


@final
class _Listed(TypeDecorator[Sequence[Any]]):
    """Many values in one bound parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return postgresql.ARRAY(self.of) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:  # noqa: ANN401  as it has it
        if dialect.name != "postgresql":
            return json.dumps(value)
        # The driver refuses a number that the column cannot have. It equals none of the column's, so it is left out.
        if value is not None and type(self.of) is Integer:
            return [each for each in value if _SMALLEST <= each <= _LARGEST]
        return value


@final
class _Among(FunctionElement[bool]):
    """Whether the first clause is one of the values in the second."""

    inherit_cache = True
    type = Boolean()

    def self_group(self, against: OperatorType | None = None) -> _Among:
        """The clause itself. SQLAlchemy would compare it with 1 on SQLite, which then uses no index for it."""
        return self


@compiles(_Among, "sqlite")
def _among_in_sqlite(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  as it has it
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({values})))"  # noqa: S608  both are SQL already


@compiles(_Among, "postgresql")
def _among_in_postgresql(element: _Among, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  as it has it
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} = ANY ({values}))"


def among(column: ColumnElement[Any], values: Iterable[int] | Iterable[str]) -> ColumnElement[bool]:
    """Whether the column has one of these values. There may be any number: they are one bound parameter.

    `IN` binds one parameter per value, and a statement can have at most 32,767.
    """
    return _Among(column, bindparam(None, sorted(set(values)), type_=_Listed(column.type), unique=True))


def among_given(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The same in a statement that is built once. The values are its parameter with that name, without duplicates."""
    return _Among(column, bindparam(name, type_=_Listed(column.type)))


@final
class json_text(FunctionElement[str]):  # noqa: N801  it reads as the SQL function that it is
    """A text as JSON writes it, in quotation marks."""

    inherit_cache = True
    type = Text()


@compiles(json_text, "sqlite")
def _json_text_in_sqlite(element: json_text, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  as it has it
    return f"json_quote({compiler.process(element.clauses, **options)})"


@compiles(json_text, "postgresql")
def _json_text_in_postgresql(element: json_text, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  as it has it
    return f"CAST(to_json({compiler.process(element.clauses, **options)}) AS TEXT)"


@final
class json_length(FunctionElement[int]):  # noqa: N801  as above
    """The number of entries in a list that is stored as JSON."""

    inherit_cache = True
    type = Integer()


@compiles(json_length, "sqlite")
def _json_length_in_sqlite(element: json_length, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  as it has it
    return f"json_array_length({compiler.process(element.clauses, **options)})"


@compiles(json_length, "postgresql")
def _json_length_in_postgresql(element: json_length, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"json_array_length(CAST({compiler.process(element.clauses, **options)} AS JSON))"


@final
class _Holds(FunctionElement[bool]):
    """Whether the first clause contains the second."""

    inherit_cache = True
    type = Boolean()


@compiles(_Holds, "sqlite")
def _holds_in_sqlite(element: _Holds, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  as above
    return f"(instr({compiler.process(element.clauses, **options)}) > 0)"


@compiles(_Holds, "postgresql")
def _holds_in_postgresql(element: _Holds, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  as above
    return f"(strpos({compiler.process(element.clauses, **options)}) > 0)"


def holds(column: ColumnElement[str], text: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the column contains the text, in any case as far as the database knows it.

    SQLite compares a pattern of LIKE letter by letter at each place: a thousand letters take a hundred times as long.
    """
    return _Holds(func.lower(column), func.lower(text))


@final
class casefolded(FunctionElement[str]):  # noqa: N801  it reads as the SQL function that it is
    """A text in lower case, for comparing names in any case.

    SQLite's own function knows only the letters of ASCII. The driver adds one that knows them all.
    """

    inherit_cache = True
    type = Text()


@compiles(casefolded, "sqlite")
def _casefolded_in_sqlite(element: casefolded, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  as above
    return f"casefold({compiler.process(element.clauses, **options)})"


@compiles(casefolded, "postgresql")
def _casefolded_in_postgresql(element: casefolded, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    return f"lower({compiler.process(element.clauses, **options)})"


def has_text(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether the column contains a text that somebody typed, in any case."""
    return _Holds(casefolded(column), casefolded(bindparam(None, text, type_=Text, unique=True)))


def occurs_in(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether the column's text occurs in another text, which is the statement's parameter with that name."""
    return _Holds(bindparam(name, type_=Text), column)


def locked(statement: SelectT, *, shared: bool = False) -> SelectT:
    """The statement with a lock on the rows that it finds, until the transaction ends. `shared` lets other transactions
    lock them too.

    PostgreSQL locks the rows but lets other transactions refer to them in the meantime. With a stronger lock, two
    transactions that write audit events about each other's accounts would wait for each other. On SQLite this adds
    nothing: its writers run one after another, from BEGIN on.
    """
    return statement.with_for_update(read=True) if shared else statement.with_for_update(key_share=True)


def changing_many(statement: ChangeT) -> ChangeT:
    """The statement, which may change very many rows, or rows of other tables that refer to them. On SQLite it runs in
    a thread, because it cannot be stopped after it has begun.
    """
    return statement.execution_options(**{CHANGES_MANY: True})


def unheld(statement: SelectT) -> SelectT:
    """The statement without the rows that another transaction has locked. For sweeps, which delete those rows next
    time.
    """
    return statement.with_for_update(skip_locked=True)


async def take_turn(connection: AsyncConnection, name: str) -> None:
    """Wait until no other transaction holds this name. It is held until the transaction ends.

    For rules about rows that do not exist yet, which no row lock guards: how many failed, which name is free. On SQLite
    writers run one after another anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


async def upsert(connection: AsyncConnection, table: Table, values: Mapping[str, Any], *, key: Sequence[str]) -> None:
    """Insert a row, or set the other values of the row that has the same `key` columns."""
    changed = {name: value for name, value in values.items() if name not in key}
    statement = _insert(connection.dialect.name, table).values(**values)
    await connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))


async def insert_or_ignore(
    connection: AsyncConnection, table: Table, values: Mapping[str, Any], *, key: Sequence[str]
) -> bool:
    """Insert a row unless one has the same `key` columns. True if it was inserted."""
    statement = (
        _insert(connection.dialect.name, table).values(**values).on_conflict_do_nothing(index_elements=list(key))
    )
    return (await connection.execute(statement.returning(*table.primary_key.columns))).first() is not None


async def insert_missing(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], *, key: Sequence[str]
) -> None:
    """Insert those of several rows whose `key` columns no existing row has, in one statement."""
    if rows:
        await _missing(connection.dialect.name, table, tuple(rows[0]), tuple(key)).run_each(connection, rows)


@cache
def _missing(dialect: str, table: Table, columns: tuple[str, ...], key: tuple[str, ...]) -> Prepared:
    return Prepared(_insert(dialect, table).on_conflict_do_nothing(index_elements=key), columns=columns)


async def upsert_all(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], *, key: Sequence[str]
) -> None:
    """Like `upsert`, for several rows with the same columns, in one statement."""
    if rows:
        await _replaced(connection.dialect.name, table, tuple(rows[0]), tuple(key)).run_each(connection, rows)


@cache
def _replaced(dialect: str, table: Table, columns: tuple[str, ...], key: tuple[str, ...]) -> Prepared:
    statement = _insert(dialect, table)
    changed = {name: statement.excluded[name] for name in columns if name not in key}
    return Prepared(statement.on_conflict_do_update(index_elements=key, set_=changed), columns=columns)


async def delete_some(connection: AsyncConnection, table: Table, *conditions: ColumnElement[bool], limit: int) -> int:
    """Delete rows that match, up to a limit, in the order of their key. Returns how many. For deleting in slices.

    Rows that another transaction has locked are left for the next time.
    """
    (key,) = table.primary_key.columns
    found = unheld(select(key).where(*conditions).order_by(key).limit(limit))
    deleted = await connection.execute(delete(table).where(key.in_(found)).returning(key))
    return len(deleted.all())


async def current_time(connection: AsyncConnection) -> datetime | None:
    """The time of the database server's clock. None for SQLite, which has no clock of its own."""
    if connection.dialect.name != "postgresql":
        return None
    now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def continue_ids(connection: AsyncConnection, table: Table) -> None:
    """After rows with given ids were inserted: let new ids continue after the largest id ever used.

    SQLite keeps count itself. PostgreSQL counts only the ids that it assigned.
    """
    column = table.autoincrement_column
    if connection.dialect.name != "postgresql" or column is None:
        return
    largest = select(func.coalesce(func.max(column), 0)).scalar_subquery()
    sequence = func.pg_get_serial_sequence(table.name, column.name)
    given = select(func.nextval(sequence)).scalar_subquery()
    await connection.execute(select(func.setval(sequence, func.greatest(largest + 1, given), False)))


def _insert(dialect: str, table: Table) -> Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
