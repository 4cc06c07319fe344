"""The database: transactions, their order, and how its failures are reported."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import stat
import threading
import traceback
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import SchemaError, StorageError
from keybearer.server.storage import realms
from keybearer.server.storage.dialect import changing_many, insert_or_ignore, locked, upsert
from keybearer.server.storage.direct import DirectConnection
from keybearer.server.storage.engine import QUIET, Database, Outage
from keybearer.server.storage.schema import migrate
from keybearer.server.storage.sqlite_dialect import InlineConnection
from keybearer.server.storage.tables import event_counter, mails
from keybearer.server.storage.tables import realms as realms_table
from tests.databases import PostgreSQLServer
from tests.storage.rows import NOON, add_realm


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def logged_levels(caplog: pytest.LogCaptureFixture) -> list[int]:
    return [record.levelno for record in caplog.records if record.name == "keybearer.server.storage.engine"]


async def test_an_outage_is_one_line_in_the_log_and_its_end_another(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    database = await Database.open(sqlite_url, Outage(clock))

    async def broken() -> None:
        with pytest.raises(StorageError):
            async with database.read() as connection:
                await connection.execute(text("SELECT * FROM nowhere"))

    async def good(*, write: bool = False) -> None:
        async with database.write() if write else database.read() as connection:
            await count_realms(connection)

    for lines in ([logging.ERROR, logging.WARNING], [logging.ERROR, logging.WARNING] * 2):
        for _ in range(5):  # some statements fail and others succeed, for longer than an outage must be quiet
            await broken()
            await good()
            await good(write=True)
            clock.now += QUIET - 1
        assert logged_levels(caplog) == lines[:-1]
        clock.now += 1
        await good()
        assert logged_levels(caplog) == lines
    await database.close()


async def test_reading_does_not_end_an_outage_of_writing(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    outage = Outage(clock)
    outage.note_failure(StorageError("There is no room left"), writing=True)
    clock.now += QUIET
    outage.note_success(writing=False)
    assert logged_levels(caplog) == [logging.ERROR]
    outage.note_success(writing=True)
    assert logged_levels(caplog) == [logging.ERROR, logging.WARNING]


async def count_realms(connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.count()).select_from(realms_table))).scalar_one()


async def test_changes_are_stored_when_a_write_has_ended(database: Database) -> None:
    realm = await add_realm(database)
    async with database.read() as connection:
        assert await realms.find(connection) == realm


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(LookupError):
        async with database.write() as connection:
            await realms.add(connection, name="Example", site="https://chat.example.com", created_at=NOON)
            raise LookupError
    async with database.read() as connection:
        assert await count_realms(connection) == 0


async def test_a_cancelled_write_leaves_nothing_and_lets_the_next_one_run(database: Database) -> None:
    begun = asyncio.Event()

    async def write_for_ever() -> None:
        async with database.write() as connection:
            await realms.add(connection, name="Example", site="https://chat.example.com", created_at=NOON)
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_for_ever())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await add_realm(database)
    async with database.read() as connection:
        assert await count_realms(connection) == 1


ENDLESS = (
    "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT (i + 1) % 7 FROM n) SELECT i FROM n) AS n"
)


@pytest.mark.parametrize("is_direct", [False, True])
@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_cancelled_transaction_stops_its_statement_and_leaves_its_connection_usable(
    database: Database, kind: str, is_direct: bool
) -> None:
    begin = database.read if kind == "read" else database.write

    async def look_for_ever() -> None:
        async with begin() as connection:
            assert isinstance(connection, DirectConnection)
            if is_direct:
                await connection.ask(ENDLESS, [])
            else:
                await connection.exec_driver_sql(ENDLESS)

    for _ in range(12):  # more than there are connections and threads
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(look_for_ever(), 0.05)
    async with database.read() as connection:
        assert await count_realms(connection) == 0
    await add_realm(database)


async def test_a_cancelled_write_does_not_affect_the_others(database: Database) -> None:
    begun = asyncio.Event()

    async def look_for_ever() -> None:
        async with database.write() as connection:
            begun.set()
            await connection.execute(text(ENDLESS))

    looking = asyncio.create_task(look_for_ever())
    await begun.wait()
    others = [asyncio.create_task(add_realm(database))]
    await asyncio.sleep(0.1)
    looking.cancel()
    async with asyncio.timeout(30):
        await asyncio.gather(*others)
    with pytest.raises(asyncio.CancelledError):
        await looking


async def test_a_read_sees_one_state_and_waits_for_no_writer(database: Database) -> None:
    async with database.read() as reader:
        assert await count_realms(reader) == 0
        await add_realm(database)
        assert await count_realms(reader) == 0
    async with database.read() as reader:
        assert await count_realms(reader) == 1


async def test_a_read_does_not_see_what_is_not_committed(database: Database) -> None:
    async with database.write() as writer:
        await realms.add(writer, name="Example", site="https://chat.example.com", created_at=NOON)
        async with database.read() as reader:
            assert await count_realms(reader) == 0


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"read-?only|cannot be (written|used)"):
        async with database.read() as connection:
            await realms.add(connection, name="Example", site="https://chat.example.com", created_at=NOON)
    async with database.read() as connection:
        assert await count_realms(connection) == 0


async def test_writers_that_lock_a_row_lose_no_update_of_each_other(database: Database) -> None:
    realm = await add_realm(database)

    async def add_a_letter() -> None:
        async with database.write() as connection:
            rows = await connection.execute(locked(select(realms_table).where(realms_table.c.id == realm.id)))
            longer = rows.one().description + "x"
            await connection.execute(update(realms_table).values(description=longer))

    await asyncio.gather(*[add_a_letter() for _ in range(20)])
    async with database.read() as connection:
        found = await realms.find(connection)
    assert found is not None
    assert found.description == "x" * 20


async def test_writers_of_one_process_take_turns_in_the_order_in_which_they_asked(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    order: list[int] = []

    async def write(number: int) -> None:
        async with database.write() as connection:
            await connection.execute(select(1))
            order.append(number)

    await asyncio.gather(*[write(number) for number in range(30)])
    await database.close()
    assert order == list(range(30))


async def test_a_write_inside_a_write_is_refused_instead_of_waiting_for_itself(database: Database) -> None:
    async with database.write():
        with pytest.raises(RuntimeError):
            async with database.write():
                pass


async def test_a_broken_rule_is_distinguished_from_a_failure_of_the_database(database: Database) -> None:
    await add_realm(database)
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.execute(insert(realms_table).values(id=1, name="Again"))


@pytest.mark.parametrize(
    "statement", ["INSERT INTO nowhere VALUES (:body)", "SELECT missing FROM realms WHERE name = :body"]
)
async def test_no_failure_repeats_the_values_to_write(database: Database, statement: str) -> None:
    written = "-".join(["link", "of", "a", "mail"])
    with pytest.raises(Exception, match=r"nowhere|missing") as failed:
        async with database.write() as connection:
            await connection.execute(text(statement), {"body": written})
    assert written not in "".join(traceback.format_exception(failed.value))


async def test_an_upsert_updates_the_row_with_the_same_key(database: Database) -> None:
    async with database.write() as connection:
        for subject in ("one", "two"):
            values = {"id": 7, "recipient": "a@example.com", "subject": subject, "body": "", "created_at": NOON}
            await upsert(connection, mails, {**values, "next_attempt_at": NOON}, key=["id"])
        rows = (await connection.execute(select(mails))).all()
    assert [row.subject for row in rows] == ["two"]


async def test_an_existing_row_is_kept_by_inserts_that_ignore_it(database: Database) -> None:
    values = {"id": 7, "recipient": "a@example.com", "body": "", "created_at": NOON, "next_attempt_at": NOON}
    async with database.write() as connection:
        assert await insert_or_ignore(connection, mails, {**values, "subject": "one"}, key=["id"])
        assert not await insert_or_ignore(connection, mails, {**values, "subject": "two"}, key=["id"])
        rows = (await connection.execute(select(mails))).all()
    assert [row.subject for row in rows] == ["one"]


async def test_moments_are_exact_to_the_microsecond(database: Database) -> None:
    realm = await add_realm(database)
    assert realm.created_at == NOON


async def test_sqlite_keeps_what_it_committed_through_a_power_cut_and_checks_references(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    async with database.write() as connection:
        pragmas = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    await database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


async def test_only_its_owner_can_read_a_new_database_file(tmp_path: Path) -> None:
    await migrate(f"sqlite:///{tmp_path / 'new.db'}")
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db", "ü.db"])
async def test_a_database_file_can_have_any_name(tmp_path: Path, name: str) -> None:
    from urllib.parse import quote  # noqa: PLC0415

    url = f"sqlite:///{quote(str(tmp_path / name))}"
    await migrate(url)
    database = await Database.open(url)
    await add_realm(database)
    await database.close()
    assert name in {path.name for path in tmp_path.iterdir()}


async def test_a_missing_file_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        await Database.open(f"sqlite:///{tmp_path / 'missing.db'}")
    assert list(tmp_path.iterdir()) == []


async def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(StorageError, match="not an SQLite database"):
        await Database.open(f"sqlite:///{path}")


async def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(StorageError, match="in memory"):
        await Database.open("sqlite:///:memory:")


async def test_a_database_without_the_schema_is_refused(empty_postgresql_url: str, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "empty.db").touch()
    for url in (empty_postgresql_url, f"sqlite:///{tmp_path / 'empty.db'}"):
        with pytest.raises(SchemaError, match="no schema yet"):
            await Database.open(url)


async def test_a_database_of_a_newer_program_is_refused(database_url: str) -> None:
    database = await Database.open(database_url)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await connection.execute(text("UPDATE oldest_program SET revision = '9998'"))
    await database.close()
    with pytest.raises(SchemaError, match="9999 of a newer Keybearer"):
        await Database.open(database_url)


async def test_a_missing_server_is_reported_without_the_password() -> None:
    with pytest.raises(StorageError, match="cannot be reached") as caught:
        await Database.open("postgresql://user:hunter2@127.0.0.1:1/keybearer")
    assert "hunter2" not in str(caught.value)


async def test_a_database_missing_on_the_server_is_reported(postgresql_server: PostgreSQLServer) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        await Database.open(postgresql_server.url("nowhere"))


async def test_a_user_unknown_to_the_server_is_reported(postgresql_server: PostgreSQLServer) -> None:
    url = postgresql_server.url().replace("postgres:@", "nobody:hunter2@")
    with pytest.raises(StorageError, match="refuses the user or the password"):
        await Database.open(url)


async def test_a_database_that_accepts_no_writes_is_an_outage(database: Database) -> None:
    with pytest.raises(StorageError):
        async with database.write() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            await connection.execute(text("PRAGMA query_only = on" if is_sqlite else "SET TRANSACTION READ ONLY"))
            await realms.add(connection, name="Example", site="https://chat.example.com", created_at=NOON)


async def test_a_table_that_may_not_be_used_is_an_outage(
    postgresql_url: str, postgresql_server: PostgreSQLServer
) -> None:
    for statement in ("CREATE ROLE clerk LOGIN", "GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk"):
        postgresql_server.execute(statement, url=postgresql_url)
    try:
        database = await Database.open(postgresql_url.replace("postgres:", "clerk:", 1))
        try:
            postgresql_server.execute("REVOKE ALL ON realms FROM clerk", url=postgresql_url)
            for begin in (database.read, database.write):
                with pytest.raises(StorageError, match="refuses a statement: permission denied for table realms"):
                    async with begin() as connection:
                        await count_realms(connection)
        finally:
            await database.close()
    finally:
        for statement in ("DROP OWNED BY clerk", "DROP ROLE clerk"):
            postgresql_server.execute(statement, url=postgresql_url)


async def test_a_connection_closed_by_the_server_is_replaced_before_it_is_used(
    postgresql_url: str, postgresql_server: PostgreSQLServer
) -> None:
    database = await Database.open(postgresql_url)
    try:
        async with database.read() as connection, database.write() as other:
            assert [await realms.find(each) for each in (connection, other)] == [None, None]
        postgresql_server.cut_off(postgresql_url)
        postgresql_server.let_in(postgresql_url)
        await asyncio.sleep(0.2)  # the end of the connections arrives
        for begun in (database.read, database.write):
            async with begun() as connection:
                assert await realms.find(connection) is None
    finally:
        await database.close()


async def test_a_connection_that_ends_within_a_transaction_is_an_outage_and_not_used_again(
    postgresql_url: str, postgresql_server: PostgreSQLServer
) -> None:
    database = await Database.open(postgresql_url)
    try:
        with pytest.raises(StorageError, match="PostgreSQL"):
            async with database.write() as connection:
                await realms.find(connection)
                postgresql_server.cut_off(postgresql_url)
                await realms.find(connection)
        postgresql_server.let_in(postgresql_url)
        async with database.write() as connection:
            assert await realms.find(connection) is None
    finally:
        await database.close()


async def test_on_sqlite_changes_of_many_rows_run_in_a_thread(sqlite_url: str) -> None:
    database = await Database.open(sqlite_url)
    threads: list[int] = []

    def note_thread() -> int:
        threads.append(threading.get_ident())
        return 0

    change = text(
        "UPDATE event_counter SET last_id = last_id + note_thread() WHERE 1 IN (SELECT value FROM json_each(:ids))"
    )
    async with database.write() as connection:
        assert isinstance(connection, InlineConnection)
        connection.raw.create_function("note_thread", 0, note_thread)
        for many in (1, 1000):
            await connection.execute(change, {"ids": json.dumps(list(range(1, many + 1)))})
        counted = update(event_counter).values(last_id=event_counter.c.last_id + func.note_thread())
        for statement in (counted, changing_many(counted)):
            await connection.execute(statement)
        text_of_change = str(change).replace(":ids", "?")
        for many in (1, 1000):
            await connection.ask(text_of_change, [json.dumps(list(range(1, many + 1)))])
    await database.close()
    here = threading.get_ident()
    assert [each == here for each in threads] == [True, False, True, False, True, False]


@pytest.mark.parametrize("is_direct", [False, True])
async def test_on_sqlite_a_slow_query_that_begins_with_its_parts_moves_to_a_thread(
    sqlite_url: str, is_direct: bool
) -> None:
    database = await Database.open(sqlite_url)
    threads: set[int] = set()
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
        "SELECT count(note_thread()) FROM n"
    )
    async with database.read() as connection:
        assert isinstance(connection, InlineConnection)
        connection.raw.create_function("note_thread", 0, lambda: threads.add(threading.get_ident()))
        await (connection.ask(query, []) if is_direct else connection.exec_driver_sql(query))
    await database.close()
    assert threads - {threading.get_ident()}
