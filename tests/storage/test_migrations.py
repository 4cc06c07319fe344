"""Migrations: they create the schema of the tables, once, and keep a copy of what they change."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from alembic import command, config
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from keybearer.errors import SchemaError, StorageError
from keybearer.server.storage import schema
from keybearer.server.storage.driver import driver_for
from keybearer.server.storage.engine import Database
from keybearer.server.storage.schema import HEAD, REVISIONS, Migration, current_revision, migrate
from keybearer.server.storage.tables import metadata
from tests.databases import PostgreSQLServer
from tests.storage.rows import add_realm


def described(connection: Connection) -> list[Any]:
    """Everything that the database's own catalogue says about the schema, in a fixed order."""
    if connection.dialect.name == "sqlite":
        found = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
        normal = [(kind, name, " ".join((sql or "").split())) for kind, name, sql in found]
        return [row for row in normal if "alembic" not in row[1]]
    queries = [
        """SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns
           WHERE table_schema = 'public'""",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace""",
    ]
    rows = [tuple(row) for query in queries for row in connection.exec_driver_sql(query)]
    return sorted((row for row in rows if "alembic" not in row[0]), key=str)


def columns_sorted(rows: list[Any]) -> list[Any]:
    """SQLite's statements without the order of the clauses, which has no meaning."""
    return [(kind, name, sorted(part.strip() for part in re.split("[(),]", sql))) for kind, name, sql in rows]


def make_from_tables(connection: Connection) -> None:
    metadata.create_all(connection)


async def schema_of(url: str, prepare: Any = None) -> list[Any]:
    engine = driver_for(url).migrator()
    async with engine.begin() as connection:
        if prepare is not None:
            await connection.run_sync(prepare)
        found = await connection.run_sync(described)
    await engine.dispose()
    return columns_sorted(found) if url.startswith("sqlite") else found


async def test_the_migrated_schema_is_the_schema_of_the_tables(database: Database) -> None:
    def is_for(found: Any, _name: object, kind: str, *_: object) -> bool:
        return kind != "index" or found._ddl_if is None or found._ddl_if.dialect == database.dialect_name

    def differences(connection: Connection) -> Any:
        options = {"compare_type": True, "include_object": is_for}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_defaults_indexes_and_references_match_the_tables_on_sqlite(sqlite_url: str, tmp_path: Path) -> None:
    from_tables = await schema_of(f"sqlite:///{tmp_path / 'tables.db'}", make_from_tables)
    assert await schema_of(sqlite_url) == from_tables


async def test_defaults_indexes_and_references_match_the_tables_on_postgresql(
    postgresql_url: str, empty_postgresql_url: str
) -> None:
    from_tables = await schema_of(empty_postgresql_url, make_from_tables)
    assert await schema_of(postgresql_url) == from_tables


async def test_an_empty_database_gets_the_schema_and_a_second_run_changes_nothing(empty_database_url: str) -> None:
    assert await current_revision(empty_database_url) is None
    assert await migrate(empty_database_url) == Migration(None, HEAD)
    assert await migrate(empty_database_url) == Migration(HEAD, HEAD)
    assert await current_revision(empty_database_url) == HEAD


async def test_of_several_programs_that_migrate_at_once_one_does_it(empty_database_url: str) -> None:
    done = await asyncio.gather(*[migrate(empty_database_url) for _ in range(4)])
    assert sorted(str(each.before) for each in done) == [HEAD, HEAD, HEAD, "None"]


async def test_a_schema_of_a_newer_program_is_left_alone(database_url: str) -> None:
    database = await Database.open(database_url)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await connection.execute(text("UPDATE oldest_program SET revision = '9999'"))
    await database.close()
    with pytest.raises(SchemaError, match="newer Keybearer"):
        await migrate(database_url)
    assert await current_revision(database_url) == "9999"


def test_alembic_and_the_file_names_agree_on_the_steps() -> None:
    script = ScriptDirectory(str(schema._MIGRATIONS))
    assert script.get_heads() == [HEAD]
    assert sorted(step.revision for step in script.walk_revisions()) == list(REVISIONS)


async def test_a_copy_of_a_file_in_use_is_complete_and_readable_only_by_its_owner(
    sqlite_url: str, tmp_path: Path
) -> None:
    database = await Database.open(sqlite_url)
    await add_realm(database)  # it is still in the write-ahead log
    copy = await driver_for(sqlite_url).keep_copy("0001")
    await database.close()
    assert copy == tmp_path / "keybearer-0001.db"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT name FROM realms").fetchall() == [("Example",)]
    connection.close()
    assert [path.name for path in tmp_path.glob(".*")] == []


def upgrade_to(connection: Connection, revision: str) -> None:
    settings = config.Config()
    settings.set_main_option("script_location", str(schema._MIGRATIONS))
    settings.attributes["connection"] = connection
    command.upgrade(settings, revision)


async def test_the_uses_of_keys_are_kept_when_they_move_into_a_table_of_their_own(empty_database_url: str) -> None:
    engine = driver_for(empty_database_url).migrator()
    async with engine.begin() as connection:
        await connection.run_sync(upgrade_to, "0003")
        for statement in (
            (
                "INSERT INTO realms (id, name, site, can_create_bots, can_create_write_only_bots, can_invite,"
                " created_at) VALUES (1, 'A', 'https://a.example.com', 3, 3, 3, 0)"
            ),
            (
                "INSERT INTO accounts (id, realm_id, delivery_email, email_key, full_name, role, date_joined)"
                " VALUES (1, 1, 'a@example.com', 'a@example.com', 'A', 400, 0)"
            ),
            (
                "INSERT INTO api_keys (id, account_id, created_at, revoked_at, last_used_at, last_used_address,"
                " last_used_client, late_used_at, late_used_address, late_used_client, secret_id, digest)"
                " VALUES (5, 1, 1, 2, 3, '192.0.2.3', 'curl', 4, '192.0.2.4', 'wget', 's', 'one'),"
                " (7, 1, 2, NULL, NULL, '', '', NULL, '', '', 's', 'two')"
            ),
        ):
            await connection.execute(text(statement))
    await engine.dispose()
    assert (await migrate(empty_database_url)).before == "0003"
    database = await Database.open(empty_database_url)
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT * FROM api_key_uses ORDER BY key_id"))).all()
    await database.close()
    assert [tuple(row) for row in rows] == [
        (5, 3, "192.0.2.3", "curl", 4, "192.0.2.4", "wget"),
        (7, None, "", "", None, "", ""),
    ]


async def test_a_migration_that_would_break_a_reference_is_undone(sqlite_url: str) -> None:
    driver = driver_for(sqlite_url)
    engine = driver.migrator()
    with pytest.raises(StorageError, match="a row of accounts that refers to nothing in realms"):
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO accounts (realm_id, delivery_email, email_key, full_name, role, date_joined)"
                    " VALUES (77, 'a@example.com', 'a@example.com', 'A', 400, 0)"
                )
            )
            await driver.check_after_migration(connection)
    await engine.dispose()


async def test_a_file_in_a_missing_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        await migrate(f"sqlite:///{tmp_path / 'missing' / 'keybearer.db'}")


async def test_a_missing_server_is_reported() -> None:
    with pytest.raises(StorageError, match="cannot be reached"):
        await migrate("postgresql://user@127.0.0.1:1/keybearer")


async def test_a_user_without_the_right_to_create_tables_is_reported(
    empty_postgresql_url: str, postgresql_server: PostgreSQLServer
) -> None:
    postgresql_server.execute("DROP ROLE IF EXISTS visitor")
    postgresql_server.execute("CREATE ROLE visitor LOGIN")
    with pytest.raises(StorageError, match="permission denied"):
        await migrate(empty_postgresql_url.replace("postgres:@", "visitor@"))
    assert await current_revision(empty_postgresql_url) is None
