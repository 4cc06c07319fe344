"""The schema's version: what it is, which programs may use it, and how it is brought up to date.

Each step names the oldest program that may use the schema after it, by the newest step that this program knows. A step
that only adds what older programs can ignore names an older program. Such programs keep serving while the step is
applied.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, insert, inspect, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import SchemaError, StorageError
from keybearer.server.storage.driver import Driver, Transactions, driver_for
from keybearer.server.storage.tables import oldest_program

_MIGRATIONS = Path(__file__).parent / "migrations"

REVISIONS = tuple(
    sorted(
        found.group(1)
        for file in (_MIGRATIONS / "versions").iterdir()
        if (found := re.fullmatch(r"r(\d{4})_\w+\.py", file.name))
    )
)
"""All steps that this program knows, by the number in the file's name."""

HEAD = REVISIONS[-1]

HELD_UP_AGAIN = 0.2
"""Seconds between two attempts to migrate while others use the tables."""

MOST_TRIES = 50


@dataclass(frozen=True, slots=True)
class Migration:
    """What `migrate` did: the revision before (None if there was no schema) and after, and the copy that it kept."""

    before: str | None
    after: str
    copy: Path | None = None


class HeldUp(StorageError):
    """Others use the tables that the migration changes."""

    def __init__(self) -> None:
        super().__init__("The tables to be changed are in use", hint="Try again in a moment.")


async def migrate(url: str) -> Migration:
    """Bring the schema of the database at `url` up to date for this program. Creates the database file if there is
    none.

    Either everything is applied or nothing. If several programs start at once, one migrates and the others wait. An
    SQLite file that already has a schema is first copied to a file next to it. A schema of a newer program that this
    program may use is left as it is. While others use the tables, the migration lets them finish first and is tried
    again.

    Raises SchemaError if a newer program has migrated the schema and this one may not use it, otherwise StorageError.
    """
    for _ in range(MOST_TRIES):
        try:
            return await _migrate(url)
        except HeldUp:
            await asyncio.sleep(HELD_UP_AGAIN)
    return await _migrate(url)


async def _migrate(url: str) -> Migration:
    driver = driver_for(url)
    async with _connected(driver, driver.migrator()) as connection:
        await driver.take_migration_lock(connection)
        before = await connection.run_sync(_revision)
        if before is not None and before not in REVISIONS:
            await _check_newer(connection, before)
            return Migration(before, before)
        if before == HEAD:
            return Migration(before, HEAD)
        copy = None if before is None else await driver.keep_copy(before)
        await connection.run_sync(_upgrade)
        await driver.check_after_migration(connection)
        return Migration(before, HEAD, copy)


async def current_revision(url: str) -> str | None:
    """The revision of the schema at `url`. None if there is none yet. Raises StorageError."""
    driver = driver_for(url)
    if not driver.exists():
        return None
    async with _connected(driver, driver.reader()) as connection:
        return await connection.run_sync(_revision)


async def check(connection: AsyncConnection, *, is_own: bool = False) -> None:
    """Raise SchemaError unless the schema is this program's or, if `is_own` is false, a newer one that it may use."""
    revision = await connection.run_sync(_revision)
    if revision is not None and revision not in REVISIONS:
        if is_own:
            raise _newer(revision)
        await _check_newer(connection, revision)
    elif revision != HEAD:
        has = "has no schema yet" if revision is None else f"has the schema {revision} of an older Keybearer"
        raise SchemaError(f"The database {has}", hint="Run: keybearer admin migrate")


async def _check_newer(connection: AsyncConnection, revision: str) -> None:
    """Raise SchemaError unless the database says that this program may use the newer program's schema."""
    oldest = (await connection.execute(select(oldest_program.c.revision))).scalar_one()
    if oldest > HEAD:
        raise _newer(revision)


def _newer(revision: str) -> SchemaError:
    return SchemaError(
        f"The database has the schema {revision} of a newer Keybearer; this one knows up to {HEAD}",
        hint="Upgrade Keybearer, or restore the backup from before.",
    )


@asynccontextmanager
async def _connected(driver: Driver, transactions: Transactions) -> AsyncIterator[AsyncConnection]:
    try:
        async with transactions.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        if driver.is_held_up(error):
            raise HeldUp from error
        raise driver.explain(error) or StorageError(f"The database cannot be migrated: {error}") from error
    finally:
        await transactions.dispose()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _upgrade(connection: Connection) -> None:
    from alembic import command, config, script  # noqa: PLC0415  slow to import, and rarely needed

    settings = config.Config()
    settings.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
    steps = script.ScriptDirectory.from_config(settings).walk_revisions()
    oldest = max(getattr(step.module, "oldest_program", step.revision) for step in steps)
    connection.execute(delete(oldest_program))
    connection.execute(insert(oldest_program).values(revision=oldest))
