"""Statements that are built once return what SQLAlchemy returns."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from keybearer.server.storage.dialect import among, among_given
from keybearer.server.storage.direct import DirectConnection
from keybearer.server.storage.engine import Database
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.tables import accounts, api_keys, event_counter, events, realms
from tests.statements import counting
from tests.storage.rows import add_holders, add_realm

NEW_EVENTS = Prepared(insert(events), columns=("id", "type", "fields", "recipients", "about"))


def new_event(number: int) -> dict[str, object]:
    return {"id": number, "type": "test", "fields": "{}", "recipients": None, "about": ""}


async def test_rows_equal_sqlalchemys_rows_and_have_the_same_types(database: Database, ring: SecretRing) -> None:
    holders = await add_holders(database, ring, 3)
    ids = [holder.account.id for holder in holders]
    for statement in (
        select(accounts).where(among_given(accounts.c.id, "ids")).order_by(accounts.c.id),
        select(api_keys).where(among_given(api_keys.c.account_id, "ids")).order_by(api_keys.c.id),
    ):
        async with database.read() as connection:
            expected = [tuple(row) for row in await connection.execute(statement, {"ids": ids[:2]})]
            found = [tuple(row) for row in await Prepared(statement).rows(connection, ids=ids[:2])]
            nobody = await Prepared(statement).row(connection, ids=[])
            named = await Prepared(statement).record(connection, ids=ids[2:])

        assert len(found) == 2
        assert found == expected
        assert [[type(value) for value in row] for row in found] == [[type(value) for value in row] for row in expected]
        assert nobody is None
        assert named is not None
        assert list(named) == [column.key for column in statement.selected_columns]


async def test_every_transaction_of_a_server_gives_direct_access_to_its_driver(database: Database) -> None:
    async with database.read() as reading, database.write() as writing:
        assert isinstance(reading, DirectConnection)
        assert isinstance(writing, DirectConnection)


async def test_changes_exist_after_the_commit_and_not_without_it(database: Database) -> None:
    advanced = Prepared(
        update(event_counter)
        .values(last_id=event_counter.c.last_id + bindparam("by"))
        .returning(event_counter.c.last_id)
    )
    async with database.write() as connection:
        (before,) = await advanced.values(connection, by=0)
        assert await advanced.values(connection, by=5) == [before + 5]
        for size in (0, 1, 3, 2000):
            await NEW_EVENTS.run_each(connection, [new_event(10_000 * (size + 1) + each) for each in range(size)])
    with pytest.raises(RuntimeError, match="undone"):
        async with database.write() as connection:
            await advanced.run(connection, by=100)
            raise RuntimeError("undone")
    async with database.read() as connection:
        assert await Prepared(select(event_counter.c.last_id)).values(connection) == [before + 5]
        assert await Prepared(select(func.count()).select_from(events)).values(connection) == [2004]


async def test_a_row_that_breaks_a_rule_is_not_an_outage(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await NEW_EVENTS.run_each(connection, [new_event(1)])
            await NEW_EVENTS.run_each(connection, [new_event(1)])
    async with database.write() as connection:
        await NEW_EVENTS.run_each(connection, [new_event(1)])


async def test_each_prepared_statement_is_counted(database: Database) -> None:
    with counting() as statements:
        async with database.write() as connection:
            await NEW_EVENTS.run_each(connection, [new_event(1), new_event(2)])
            await Prepared(select(events.c.id)).rows(connection)
    assert len(statements) == 2


async def test_a_slow_statement_moves_to_a_thread_while_others_run(sqlite_url: str) -> None:
    some, others_of_them = (func.json_each(bindparam("numbers")).table_valued("value") for _ in range(2))
    pairs = some.join(others_of_them, some.c.value <= others_of_them.c.value + 3000)
    slow = Prepared(select(func.count()).select_from(pairs))
    database = await Database.open(sqlite_url)
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    others = asyncio.create_task(take_turns())
    async with database.read() as connection:
        assert await slow.values(connection, numbers=json.dumps(list(range(3000)))) == [9_000_000]
        assert turns > 0
        assert await Prepared(select(func.count()).select_from(events)).values(connection) == [0]
    others.cancel()
    await database.close()


async def test_a_number_that_no_row_can_have_is_found_nowhere_and_breaks_no_query(database: Database) -> None:
    await add_realm(database)
    wanted = Prepared(select(realms.c.id).where(among_given(realms.c.id, "ids")))
    async with database.read() as connection:
        for ids in ([1, 2**31, -(2**31) - 1, 99999999999], [2**31 - 1, 1]):
            assert await wanted.values(connection, ids=ids) == [1]
            found = await connection.execute(select(realms.c.id).where(among(realms.c.id, ids)))
            assert found.scalars().all() == [1]
