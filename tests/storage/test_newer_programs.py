"""A schema names the oldest program that may use it, and a step that allows older programs only adds to the schema."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from keybearer.errors import SchemaError
from keybearer.server.storage import backup, schema
from keybearer.server.storage.driver import driver_for
from keybearer.server.storage.engine import Database
from keybearer.server.storage.schema import HEAD, REVISIONS, Migration, migrate
from keybearer.server.storage.secret_ring import SecretRing
from tests.storage.rows import NOON, add_holders
from tests.storage.test_migrations import upgrade_to

FIRST = "0012"
"""The first step that names the oldest program. No older program looks for one."""

STEPS = {
    step.revision: step.module
    for step in ScriptDirectory(str(schema._MIGRATIONS)).walk_revisions()
    if step.revision >= FIRST
}
Columns = dict[tuple[str, str], tuple[str, bool]]


def columns_of(connection: Connection) -> Columns:
    """Each column: its type, and whether a row needs a value in it that only its writer can supply."""
    inspector = inspect(connection)
    return {
        (table, column["name"]): (
            str(column["type"]),
            not column["nullable"] and column["default"] is None,
        )
        for table in inspector.get_table_names()
        for column in inspector.get_columns(table)
    }


def broken_for_older(before: Columns, after: Columns) -> list[str]:
    """What a program for the first of two schemas misses in the second, or cannot fill in."""
    lost = [f"{table}.{name} is gone" for table, name in before.keys() - after.keys()]
    other = [f"{table}.{name} is another" for table, name in before.keys() & after.keys()
             if before[table, name] != after[table, name]]  # fmt: skip
    tables = {table for table, _ in before}
    unfilled = [f"{table}.{name} has no default" for (table, name), (_, needs_value) in after.items()
                if needs_value and table in tables and (table, name) not in before]  # fmt: skip
    return sorted(lost + other + unfilled)


async def columns_at(path: Path, revision: str, *further: str) -> Columns:
    engine = driver_for(f"sqlite:///{path}").migrator()
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade_to, revision)
            for statement in further:
                await connection.execute(text(statement))
            return await connection.run_sync(columns_of)
    finally:
        await engine.dispose()


@pytest.mark.parametrize("revision", STEPS)
async def test_a_step_names_the_oldest_program_and_only_adds_to_what_that_one_knows(
    revision: str, tmp_path: Path
) -> None:
    named = STEPS[revision].oldest_program
    assert named in REVISIONS
    assert FIRST <= named <= revision
    before, after = await columns_at(tmp_path / "a.db", named), await columns_at(tmp_path / "b.db", revision)
    assert broken_for_older(before, after) == []


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("CREATE TABLE further (id INTEGER PRIMARY KEY, name TEXT NOT NULL)", []),
        ("ALTER TABLE realms ADD COLUMN motto TEXT", []),
        ("ALTER TABLE realms ADD COLUMN motto TEXT NOT NULL DEFAULT ''", []),
        ("DROP TABLE sent_forms", ["sent_forms.digest is gone", "sent_forms.sent_at is gone"]),
        ("ALTER TABLE realms DROP COLUMN description", ["realms.description is gone"]),
        ("ALTER TABLE realms RENAME COLUMN name TO title", ["realms.name is gone", "realms.title has no default"]),
    ],
)
async def test_steps_that_break_older_programs_are_found(change: str, broken: list[str], tmp_path: Path) -> None:
    before, after = await columns_at(tmp_path / "a.db", HEAD), await columns_at(tmp_path / "b.db", HEAD, change)
    assert broken_for_older(before, after) == broken


async def made_newer(url: str, *, oldest: str) -> Database:
    database = await Database.open(url)
    async with database.write() as connection:
        await connection.execute(text("ALTER TABLE realms ADD COLUMN motto TEXT NOT NULL DEFAULT ''"))
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await connection.execute(text("UPDATE oldest_program SET revision = :oldest"), {"oldest": oldest})
    return database


async def test_a_program_uses_a_newer_schema_that_allows_it_without_changing_it(
    database_url: str, ring: SecretRing, tmp_path: Path
) -> None:
    before = await made_newer(database_url, oldest=HEAD)
    assert await migrate(database_url) == Migration("9999", "9999")
    opened = await Database.open(database_url)
    await add_holders(opened, ring, 2)
    for database in (opened, before):
        await database.close()
    with pytest.raises(SchemaError, match="9999 of a newer Keybearer"):  # a backup would lack the new column
        await backup.write(database_url, tmp_path / "b", at=NOON)


async def test_a_program_refuses_a_newer_schema_that_does_not_allow_it(database_url: str) -> None:
    await (await made_newer(database_url, oldest="9998")).close()
    with pytest.raises(SchemaError, match="9999 of a newer Keybearer"):
        await Database.open(database_url)
    with pytest.raises(SchemaError, match="9999 of a newer Keybearer"):
        await migrate(database_url)


async def test_a_migration_waits_for_users_of_a_table_without_blocking_them(
    empty_postgresql_url: str,
) -> None:
    driver: Any = driver_for(empty_postgresql_url)
    engine = driver.migrator()
    async with engine.begin() as connection:
        await connection.run_sync(upgrade_to, "0011")
    await engine.dispose()
    writer, reader = await driver.open(), await driver.open()
    try:
        async with writer.transaction():
            await writer.execute("LOCK TABLE accounts IN ROW EXCLUSIVE MODE")
            migrating = asyncio.create_task(migrate(empty_postgresql_url))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            for _ in range(1000):
                await asyncio.sleep(0.01)
                if await reader.fetchval(waiting):
                    break
            for _ in range(3):  # each waits for the migration, which gives up first
                await reader.execute("UPDATE accounts SET full_name = full_name")
            assert not migrating.done()
        assert (await migrating) == Migration("0011", HEAD)
    finally:
        await writer.close()
        await reader.close()
