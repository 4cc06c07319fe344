"""Writers that arrive together share a commit. They can notice it only by how soon they are answered."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import StorageError
from keybearer.server.domain.errors import Refused
from keybearer.server.storage.engine import Database
from keybearer.server.storage.shared_commit import MOST_MEMBERS
from keybearer.server.storage.sqlite import SQLiteDriver
from keybearer.server.storage.sqlite_dialect import InlineConnection
from keybearer.server.storage.tables import realms
from tests.storage.rows import add_realm

COUNTING = """
SELECT * FROM (
    WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < 1000000) SELECT count(*) FROM n
)
""".strip()
"""A query that takes long to answer."""


@pytest.fixture
async def sqlite_database(sqlite_url: str) -> AsyncIterator[Database]:
    database = await Database.open(sqlite_url)
    await add_realm(database)
    await write(database, lambda _: "")
    yield database
    await database.close()


async def description(connection: AsyncConnection) -> str:
    return str((await connection.execute(select(realms.c.description))).scalar_one())


async def write(database: Database, longer: Callable[[str], str]) -> None:
    async with database.write() as connection:
        before = await description(connection)
        await connection.execute(update(realms).values(description=longer(before)))


async def append(database: Database, letter: str) -> None:
    await write(database, lambda known: known + letter)


async def commit_alone(database: Database) -> None:
    """The first writer has nobody to share with. Writers that arrive while it commits share the next commit."""
    await append(database, "")


async def written(database: Database) -> str:
    async with database.read() as connection:
        return await description(connection)


def commits(path: Path) -> int:
    """How often the file was committed to. Log frames that end a transaction state the size of the file."""
    log = path.with_name(f"{path.name}-wal").read_bytes()
    frames = (log[start : start + 24] for start in range(32, len(log), 24 + 4096))
    return sum(frame[4:8] != bytes(4) for frame in frames)


async def test_writers_that_arrive_together_share_commits_and_each_reads_earlier_changes(
    sqlite_database: Database, tmp_path: Path
) -> None:
    before = commits(tmp_path / "keybearer.db")
    letters = "abcdefghij" * 4
    await asyncio.gather(*[append(sqlite_database, letter) for letter in letters])
    assert await written(sqlite_database) == letters
    assert commits(tmp_path / "keybearer.db") - before < len(letters)
    assert commits(tmp_path / "keybearer.db") - before >= len(letters) // MOST_MEMBERS


async def test_a_member_that_raises_undoes_only_its_own_changes(sqlite_database: Database) -> None:
    def refuse(_known: str) -> str:
        raise Refused("No")

    letters = [append(sqlite_database, letter) for letter in "abc"]
    outcomes = await asyncio.gather(
        letters[0], letters[1], write(sqlite_database, refuse), letters[2], return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), Refused, type(None)]
    assert await written(sqlite_database) == "abc"


async def test_nobody_is_answered_before_the_commit_not_even_with_a_refusal(
    sqlite_database: Database, tmp_path: Path
) -> None:
    stored: dict[int, str] = {}
    known: dict[int, str] = {}

    async def ask(number: int) -> None:
        try:
            async with sqlite_database.write() as connection:
                known[number] = await description(connection)
                await connection.execute(update(realms).values(description=known[number] + "x"))
                if number == 1:
                    raise Refused("There is an x already")
                known[number] += "x"
        finally:
            with closing(sqlite3.connect(tmp_path / "keybearer.db")) as other:
                stored[number] = other.execute("SELECT description FROM realms").fetchone()[0]

    work = [ask(number) for number in range(3)]
    await asyncio.gather(commit_alone(sqlite_database), *work, return_exceptions=True)
    assert known == {0: "x", 1: "x", 2: "xx"}
    assert all(stored[number].startswith(known[number]) for number in known)


async def test_a_commit_that_fails_fails_all_of_its_members(sqlite_database: Database) -> None:
    async def orphan() -> None:
        async with sqlite_database.write() as connection:
            # A reference that only the commit checks, so that the commit fails.
            await connection.execute(text("PRAGMA defer_foreign_keys=ON"))
            await connection.execute(text("UPDATE accounts SET realm_id = 99"))
            await connection.execute(
                text(
                    "INSERT INTO accounts (realm_id, delivery_email, email_key, full_name, role, date_joined)"
                    " VALUES (99, 'a@example.com', 'a@example.com', 'A', 400, 0)"
                )
            )

    before = ""
    outcomes: list[BaseException | None] = []
    for _ in range(50):  # on a busy machine, five milliseconds may be over before all have begun
        before = await written(sqlite_database)
        work = [append(sqlite_database, "a"), orphan(), append(sqlite_database, "b")]
        first, *outcomes = await asyncio.gather(commit_alone(sqlite_database), *work, return_exceptions=True)
        assert first is None
        assert isinstance(outcomes[1], StorageError)
        kept = "".join(name for name, outcome in zip(("a", "", "b"), outcomes, strict=True) if outcome is None)
        assert await written(sqlite_database) == before + kept
        if kept == "":
            break
    assert [type(outcome) for outcome in outcomes] == [StorageError] * 3
    await append(sqlite_database, "next")
    assert await written(sqlite_database) == before + "next"


@pytest.mark.parametrize("cancelled", range(4))
async def test_a_cancelled_member_does_not_affect_others(sqlite_database: Database, cancelled: int) -> None:
    work = [asyncio.create_task(append(sqlite_database, letter)) for letter in "abcd"]
    await asyncio.sleep(0)
    work[cancelled].cancel()
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert isinstance(outcomes.pop(cancelled), asyncio.CancelledError)
    assert outcomes == [None] * 3
    others = "abcd".replace("abcd"[cancelled], "")
    assert (await written(sqlite_database)).replace("abcd"[cancelled], "") == others
    await write(sqlite_database, lambda _: "next")
    assert await written(sqlite_database) == "next"


async def test_reading_continues_while_a_writer_waits_for_another_process(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "keybearer.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.create_task(append(sqlite_database, "x")) for _ in range(3)]
        for _ in range(20):
            assert await written(sqlite_database) == ""
        other.execute("UPDATE realms SET description = 'theirs '")
        other.execute("COMMIT")
    await asyncio.gather(*waiting)
    assert await written(sqlite_database) == "theirs xxx"


async def test_sqlite_itself_never_waits_for_another_process_to_begin_a_change(sqlite_database: Database) -> None:
    """It would wait in the event loop, and all requests with it."""
    async with sqlite_database.write() as connection:
        assert (await connection.execute(text("PRAGMA busy_timeout"))).scalar_one() == 0


async def test_every_writer_that_waits_too_long_for_another_process_gets_an_error(
    sqlite_database: Database, tmp_path: Path
) -> None:
    hasty = Database(SQLiteDriver(tmp_path / "keybearer.db", busy_timeout=0.05))
    with closing(sqlite3.connect(tmp_path / "keybearer.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        work = [append(hasty, "x") for _ in range(3)]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        other.execute("ROLLBACK")
    assert [type(outcome) for outcome in outcomes] == [StorageError] * 3
    await hasty.close()


async def test_a_slow_query_does_not_block_the_event_loop(sqlite_database: Database) -> None:
    looked = 0

    async def look() -> None:
        nonlocal looked
        while True:
            await asyncio.sleep(0)
            looked += 1

    looking = asyncio.create_task(look())
    async with sqlite_database.read() as connection:
        before = await description(connection)
        await write(sqlite_database, lambda _: "meanwhile")
        looked = 0
        counted = await connection.execute(text(COUNTING))
        assert counted.scalar_one() == 1_000_000
        assert await description(connection) == before  # it is still the same state
    looking.cancel()
    assert looked > 0


async def test_a_connection_that_broke_is_replaced_for_the_next_writer(sqlite_database: Database) -> None:
    async def break_it() -> None:
        async with sqlite_database.write() as connection:
            assert isinstance(connection, InlineConnection)
            connection.raw.close()

    with pytest.raises(StorageError):
        await break_it()
    await append(sqlite_database, "a")
    assert await written(sqlite_database) == "a"
