"""What the engine asks of a database driver, and which driver a database address calls for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from keybearer.errors import StorageError


class Found(NamedTuple):
    """What a look-up found, all of one moment: its rows, and those of the small statement beside it."""

    rows: Sequence[Sequence[Any]]
    beside: Sequence[Sequence[Any]] = ()


class Lookup(Protocol):
    """One prepared question, asked of the driver directly: rows by a list of values.

    Each call is a query of its own that begins after the call, so it sees everything committed before it.
    """

    async def fetch(self, values: Sequence[Any]) -> Found:
        """The rows for these values. Raises StorageError; the next call tries again."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Transactions(Protocol):
    """What opens transactions of one kind."""

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction: it is committed when the block ends, and undone if it raises."""
        ...

    async def dispose(self) -> None:
        """Let go of the connections."""
        ...


class Pool(Transactions, Protocol):
    """Transactions on connections that are kept."""

    @property
    def in_use(self) -> int:
        """How many of the connections are in use."""
        ...


class Driver(Protocol):
    """One database, and how it is connected to."""

    dialect_name: str

    def reader(self) -> Pool:
        """Transactions that see one state of the database and cannot change it."""
        ...

    def writer(self) -> Pool:
        """Transactions that write. When one of them has ended, what it wrote lasts."""
        ...

    def migrator(self) -> AsyncEngine:
        """One connection whose transaction may change the schema."""
        ...

    def is_there(self) -> bool:
        """Whether there is anything to connect to yet; a server is taken to be."""
        ...

    async def keep_copy(self, revision: str) -> Path | None:
        """Copy the database, as it was before this migration, beside itself; None where it is not a file."""
        ...

    async def take_migration_lock(self, connection: AsyncConnection) -> None:
        """Wait until nobody else migrates; held until the transaction ends."""
        ...

    def is_held_up(self, error: Exception) -> bool:
        """Whether a migration failed because others use the tables that it changes: it may be tried again."""
        ...

    async def check_after_migration(self, connection: AsyncConnection) -> None:
        """Raise StorageError if the migration left rows that break a rule. Called before it is committed."""
        ...

    def lookup(self, statement: Select[Any], by: ColumnElement[Any], beside: Select[Any] | None = None) -> Lookup:
        """The question for the rows of `statement` in which the column `by` has one of the values.

        `beside` is asked with it, for the few rows of numbers and texts that all of them refer to.
        """
        ...

    def explain(self, error: Exception) -> StorageError | None:
        """What a failure of the driver means to the operator; None where the failure is the program's own."""
        ...


def driver_for(url: str) -> Driver:
    """The driver for a database address. Raises StorageError where its package is not installed."""
    if url.startswith("sqlite"):
        name = "sqlite"
    elif url.startswith("postgres"):
        name = "postgresql"
    else:
        raise StorageError(
            "This is not a database address that Keybearer knows",
            hint="Write sqlite:////path/to/keybearer.db or postgresql://user:password@host/database.",
        )
    try:
        module = importlib.import_module(f"keybearer.server.storage.{name}")
    except ModuleNotFoundError as error:
        raise StorageError(
            f"The package {error.name} is missing", hint=f"Install it with: pip install 'keybearer[server,{name}]'"
        ) from None
    driver: Driver = module.connect(url)
    return driver
