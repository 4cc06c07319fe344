"""Where SQLite and PostgreSQL differ in a statement. How each is connected to is in `sqlite.py` and `postgresql.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

SelectT = TypeVar("SelectT", bound=Select[Any])
Insert = postgresql.Insert | sqlite.Insert


def locked(statement: SelectT, *, shared: bool = False) -> SelectT:
    """The statement, holding the rows it finds until the transaction ends; `shared` lets others hold them too.

    PostgreSQL locks the rows, but lets others refer to them meanwhile: a lock that did not would make two transactions
    wait for each other that write audit events about each other's accounts. SQLite renders nothing: its writers come
    one after another, from BEGIN on.
    """
    return statement.with_for_update(read=True) if shared else statement.with_for_update(key_share=True)


def unheld(statement: SelectT) -> SelectT:
    """The statement, without the rows that another transaction holds. For sweeping: what is held is swept next time."""
    return statement.with_for_update(skip_locked=True)


async def take_turn(connection: AsyncConnection, name: str) -> None:
    """Wait until no other transaction holds this name; held until the transaction ends.

    For rules about rows that are not there yet, which no row lock guards: how many failed, which name is free. On
    SQLite writers come one after another anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


async def upsert(connection: AsyncConnection, table: Table, values: Mapping[str, Any], *, key: Sequence[str]) -> None:
    """Insert a row, or give the row that has the same `key` columns the other values."""
    changed = {name: value for name, value in values.items() if name not in key}
    statement = _insert(connection, table).values(**values)
    await connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))


async def insert_or_ignore(
    connection: AsyncConnection, table: Table, values: Mapping[str, Any], *, key: Sequence[str]
) -> bool:
    """Insert a row unless one has the same `key` columns; True if it was inserted."""
    statement = _insert(connection, table).values(**values).on_conflict_do_nothing(index_elements=list(key))
    return (await connection.execute(statement.returning(*table.primary_key.columns))).first() is not None


async def continue_ids(connection: AsyncConnection, table: Table) -> None:
    """After rows with given ids were inserted: let new ids go on after the largest that was ever used.

    SQLite has kept count by itself. PostgreSQL counts only the ids that it gave.
    """
    column = table.autoincrement_column
    if connection.dialect.name != "postgresql" or column is None:
        return
    largest = select(func.coalesce(func.max(column), 0)).scalar_subquery()
    sequence = func.pg_get_serial_sequence(table.name, column.name)
    given = select(func.nextval(sequence)).scalar_subquery()
    await connection.execute(select(func.setval(sequence, func.greatest(largest + 1, given), False)))


def _insert(connection: AsyncConnection, table: Table) -> Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
