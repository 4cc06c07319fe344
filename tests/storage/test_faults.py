"""Faults: a writer is killed, the disk is full, the database becomes unavailable, writers of several processes meet."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy import select, update

from keybearer.errors import FileError, StorageError
from keybearer.server.storage import backup
from keybearer.server.storage.engine import Database
from keybearer.server.storage.sqlite import SQLiteDriver
from keybearer.server.storage.tables import mails, realms
from tests.databases import PostgreSQLServer
from tests.storage.rows import NOON, add_realm

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def writer(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program `writer.py`, which is killed when the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.storage.writer", *arguments, cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def name_of_realm(database: Database) -> str:
    async with database.read() as connection:
        return str((await connection.execute(select(realms.c.name))).scalar_one())


async def test_a_writer_killed_in_the_middle_leaves_nothing_and_blocks_nobody(
    database: Database, database_url: str
) -> None:
    await add_realm(database)
    async with writer("hold", database_url) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"written\n"
        assert await name_of_realm(database) == "Example"
        process.kill()
        await process.wait()
    assert await name_of_realm(database) == "Example"
    async with database.write() as connection:
        await connection.execute(update(realms).values(name="next"))
    assert await name_of_realm(database) == "next"


async def test_changes_committed_by_a_killed_writer_stay(database: Database, database_url: str) -> None:
    await add_realm(database)
    async with writer("commit", database_url) as process:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"written\n"
        process.kill()
        await process.wait()
    assert await name_of_realm(database) == "committed"


async def test_writers_of_several_processes_lose_no_update_of_each_other(database: Database, database_url: str) -> None:
    await add_realm(database)
    async with database.write() as connection:
        await connection.execute(update(realms).values(name="0"))
    async with writer("count", database_url, "25") as one, writer("count", database_url, "25") as other:
        assert [await one.wait(), await other.wait()] == [0, 0]
    assert await name_of_realm(database) == "50"


async def test_a_full_disk_is_reported_and_the_next_write_succeeds(sqlite_url: str) -> None:
    async with writer("fill", sqlite_url, str(1024 * 1024)) as process:
        output, _ = await process.communicate()
        assert process.returncode == 0
    assert b"keybearer.db cannot be used:" in output
    database = await Database.open(sqlite_url)
    async with database.read() as connection:
        assert (await connection.execute(select(mails.c.body))).scalars().all() == ["small"]
    await database.close()


async def test_a_backup_on_a_full_disk_leaves_nothing_behind(sqlite_url: str, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        with pytest.raises((FileError, StorageError)):
            await backup.write(sqlite_url, tmp_path / "full.backup", at=NOON)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name for path in tmp_path.iterdir()} <= {"keybearer.db", "keybearer.db-shm", "keybearer.db-wal"}


async def test_a_writer_waits_for_the_writer_of_another_process(sqlite_url: str, tmp_path: Path) -> None:
    database = await Database.open(sqlite_url)
    with closing(sqlite3.connect(tmp_path / "keybearer.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        write = asyncio.create_task(add_realm(database))
        await asyncio.sleep(0.1)
        assert not write.done()
        other.execute("COMMIT")
        assert (await write).name == "Example"
    await database.close()


async def test_a_writer_that_waits_too_long_gets_the_error_that_the_database_is_busy(
    sqlite_template: Path, tmp_path: Path
) -> None:
    path = tmp_path / "busy.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(SQLiteDriver(path, busy_timeout=0.05))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="another program has been writing"):
            await add_realm(database)
        async with database.read() as connection:  # readers are not affected
            assert (await connection.execute(select(realms))).all() == []
    await add_realm(database)
    await database.close()


async def test_a_server_that_becomes_unavailable_is_reported_and_the_next_try_works(
    postgresql_url: str, postgresql_server: PostgreSQLServer
) -> None:
    database = await Database.open(postgresql_url)
    await add_realm(database)
    postgresql_server.cut_off(postgresql_url)
    for transaction in (database.read, database.write):
        with pytest.raises(StorageError):
            async with transaction() as connection:
                await connection.execute(select(realms))
    postgresql_server.let_in(postgresql_url)
    assert await name_of_realm(database) == "Example"
    async with database.write() as connection:
        await connection.execute(update(realms).values(name="next"))
    assert await name_of_realm(database) == "next"
    await database.close()


async def test_a_server_that_becomes_unavailable_during_a_write_has_written_nothing(
    postgresql_url: str, postgresql_server: PostgreSQLServer
) -> None:
    database = await Database.open(postgresql_url)
    await add_realm(database)
    with pytest.raises(StorageError):
        async with database.write() as connection:
            await connection.execute(update(realms).values(name="half"))
            postgresql_server.cut_off(postgresql_url)
            await connection.execute(update(realms).values(description="done"))
    postgresql_server.let_in(postgresql_url)
    assert await name_of_realm(database) == "Example"
    await database.close()


async def test_connections_that_the_server_closed_while_they_were_idle_fail_nothing(
    postgresql_url: str, postgresql_server: PostgreSQLServer
) -> None:
    database = await Database.open(postgresql_url)
    await add_realm(database)
    names = database.lookup(select(realms.c.name), realms.c.name)

    async def look_up() -> None:
        assert list((await names.fetch(["Example"])).rows) != []

    async def read() -> None:
        assert await name_of_realm(database) == "Example"

    async def write() -> None:
        async with database.write() as connection:
            await connection.execute(update(realms).values(description="changed"))

    for use in (look_up, read, write):
        await use()
        postgresql_server.cut_off(postgresql_url)  # the event loop cannot notice it before the next use
        postgresql_server.let_in(postgresql_url)
        await use()
    await database.close()


async def test_a_file_damaged_while_in_use_is_reported(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "keybearer.db"
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        await Database.open(sqlite_url)
