"""Connections to PostgreSQL are kept, each has one transaction at a time, and a broken one harms nobody."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from keybearer.errors import StorageError
from keybearer.server.storage.direct import DirectConnection
from keybearer.server.storage.engine import Database
from keybearer.server.storage.postgresql import READERS, WRITERS
from keybearer.server.storage.postgresql_dialect import PostgreSQLConnection
from tests.databases import PostgreSQLServer

AT_ONCE = 8
WRITE = text("UPDATE event_counter SET last_id = last_id + 1")
READ = text("SELECT last_id FROM event_counter")


@pytest.fixture
async def database(postgresql_url: str) -> AsyncIterator[Database]:
    database = await Database.open(postgresql_url)
    yield database
    await database.close()


async def backend(database: Database, *, seconds: float = 0) -> int:
    """The process of the server that a transaction uses. It takes at least so long."""
    async with database.write() as connection:
        found = await connection.execute(text("SELECT pg_backend_pid(), pg_sleep(:seconds)"), {"seconds": seconds})
        process: int = found.one()[0]
        return process


async def several(database: Database, count: int) -> set[int]:
    return set(await asyncio.gather(*(backend(database, seconds=0.02) for _ in range(count))))


async def test_transactions_at_once_use_the_same_connections_again(database: Database) -> None:
    first = await several(database, AT_ONCE)
    assert len(first) == AT_ONCE
    for _ in range(3):
        assert await several(database, AT_ONCE) <= first


async def test_transactions_wait_for_a_connection_if_all_are_in_use(database: Database) -> None:
    assert len(await several(database, 3 * WRITERS)) == WRITERS
    assert database.connections_in_use() == {"reader": 0, "writer": 0}


async def test_a_reading_transaction_sees_one_state_and_cannot_write(database: Database) -> None:
    async with database.read() as reading:
        before = (await reading.execute(READ)).scalar_one()
        async with database.write() as writing:
            await writing.execute(WRITE)
        assert (await reading.execute(READ)).scalar_one() == before
    assert await counted(database) == before + 1
    with pytest.raises(StorageError):
        async with database.read() as reading:
            await reading.execute(WRITE)
    assert set(await asyncio.gather(*(counted(database) for _ in range(2 * READERS)))) == {before + 1}


async def counted(database: Database) -> int:
    async with database.read() as reading:
        last: int = (await reading.execute(READ)).scalar_one()
        return last


async def test_a_transaction_in_which_a_statement_failed_is_not_reported_as_written(database: Database) -> None:
    before = await counted(database)
    with pytest.raises(RuntimeError, match="nothing was written"):
        async with database.write() as connection:
            await connection.execute(WRITE)
            with pytest.raises(IntegrityError):
                await connection.execute(text("INSERT INTO event_counter SELECT * FROM event_counter"))
    assert await counted(database) == before


async def test_a_cancelled_transaction_writes_nothing_and_leaves_its_connection_usable(database: Database) -> None:
    async def write_slowly() -> None:
        async with database.write() as connection:
            assert isinstance(connection, DirectConnection)
            await connection.execute(WRITE)
            await connection.ask("SELECT pg_sleep(30)", ())

    process, before = await backend(database), await counted(database)
    task = asyncio.create_task(write_slowly())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await counted(database) == before
    assert await backend(database) == process


async def test_a_connection_that_the_server_ends_is_replaced(
    database: Database, postgresql_server: PostgreSQLServer
) -> None:
    first = await several(database, 2)
    for process in first:
        postgresql_server.execute(f"SELECT pg_terminate_backend({process}, 5000)")
    assert not first & await several(database, 2)


async def test_a_connection_that_ends_during_a_transaction_fails_only_that_one(
    database: Database, postgresql_server: PostgreSQLServer
) -> None:
    with pytest.raises(StorageError):
        async with database.write() as connection:
            process = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            await asyncio.to_thread(postgresql_server.execute, f"SELECT pg_terminate_backend({process}, 5000)")
            await connection.execute(text("SELECT 1"))
    assert await backend(database) != process
    assert database.connections_in_use() == {"reader": 0, "writer": 0}


async def test_connections_that_the_server_ends_again_and_again_are_an_outage_and_no_error_of_ours(
    database: Database, postgresql_server: PostgreSQLServer
) -> None:
    name = await name_of(database)
    others = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608  our own
    is_over = asyncio.Event()

    async def work() -> int:
        failures = 0
        while not is_over.is_set():
            try:
                async with database.write() as connection:
                    assert isinstance(connection, DirectConnection)
                    await connection.ask("SELECT 1", ())
            except StorageError:
                failures += 1
            await asyncio.sleep(0.001)
        return failures

    working = [asyncio.create_task(work()) for _ in range(AT_ONCE)]
    for _ in range(30):
        await asyncio.to_thread(postgresql_server.execute, others)
    is_over.set()
    await asyncio.gather(*working)
    assert database.connections_in_use() == {"reader": 0, "writer": 0}


async def name_of(database: Database) -> str:
    async with database.read() as reading:
        name: str = (await reading.execute(text("SELECT current_database()"))).scalar_one()
        return name


@contextmanager
def frozen(process: int) -> Iterator[None]:
    """A process of the server keeps its connection within the block, and answers nothing."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.mark.soak  # it waits for the server twice
async def test_a_transaction_on_a_server_that_stopped_answering_ends_and_the_next_has_a_new_connection(
    database: Database,
) -> None:
    async def silenced() -> None:
        async with database.write() as connection:
            process = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            stack.enter_context(frozen(process))
            assert isinstance(connection, PostgreSQLConnection)
            await connection.raw.execute("SELECT 1", timeout=0.1)

    process = await backend(database)
    with ExitStack() as stack:
        stack.enter_context(frozen(process))
        # The first cannot begin, and the second can no longer end.
        uses = asyncio.gather(backend(database), silenced(), return_exceptions=True)
        assert [type(each) for each in await asyncio.wait_for(uses, 60)] == [StorageError, StorageError]
        assert database.connections_in_use() == {"reader": 0, "writer": 0}
        assert await backend(database) != process
