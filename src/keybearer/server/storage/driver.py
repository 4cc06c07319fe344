"""What the engine needs from a database driver, and which driver belongs to a database address."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from keybearer.errors import StorageError
from keybearer.server.domain.fair_turns import Whose


class Found(NamedTuple):
    """The result of a look-up, all from one moment: its rows, and the rows of the small statement beside it."""

    rows: Sequence[Sequence[Any]]
    beside: Sequence[Sequence[Any]] = ()


class Lookup(Protocol):
    """A prepared query that is sent to the driver directly: rows for a list of values.

    Each call is a query of its own that begins after the call, so it sees everything that was committed before.
    """

    async def fetch(self, values: Sequence[Any]) -> Found:
        """The rows for these values. Raises StorageError. The next call tries again."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class Transactions(Protocol):
    """Opens transactions of one kind."""

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction. It is committed when the block ends, and rolled back if the block raises."""
        ...

    async def dispose(self) -> None:
        """Close the connections."""
        ...


class Pool(Transactions, Protocol):
    """Transactions on connections that are kept open. Those that wait for one are served in fair turns."""

    def begin(self, whose: Whose = None) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction for somebody."""
        ...

    @property
    def in_use(self) -> int:
        """How many of the connections are in use."""
        ...


class Driver(Protocol):
    """One database, and how to connect to it."""

    dialect_name: str

    def reader(self) -> Pool:
        """Transactions that see one state of the database and cannot change it."""
        ...

    def writer(self) -> Pool:
        """Transactions that write. Once a transaction has ended, its changes are durable."""
        ...

    def migrator(self) -> AsyncEngine:
        """One connection whose transaction may change the schema."""
        ...

    def exists(self) -> bool:
        """Whether the database exists, so that it can be connected to. A database server is assumed to exist."""
        ...

    async def keep_copy(self, revision: str) -> Path | None:
        """Copy the database, as it was before this migration, to a file next to it. None if the database is
        not a file.
        """
        ...

    async def take_migration_lock(self, connection: AsyncConnection) -> None:
        """Wait until no other program migrates. The lock is held until the transaction ends."""
        ...

    def is_held_up(self, error: Exception) -> bool:
        """Whether a migration failed because others use the tables that it changes, so that it may be tried again."""
        ...

    async def check_after_migration(self, connection: AsyncConnection) -> None:
        """Raise StorageError if the migration left rows that break a rule. Called before the commit."""
        ...

    def lookup(self, statement: Select[Any], by: ColumnElement[Any], beside: Select[Any] | None = None) -> Lookup:
        """The query for the rows of `statement` in which the column `by` has one of the values.

        `beside` is queried with it, for the few rows of numbers and texts to which all of them refer.
        """
        ...

    def explain(self, error: Exception) -> StorageError | None:
        """What a failure of the driver means to the operator. None if it is an error in this program."""
        ...


def driver_for(url: str) -> Driver:
    """The driver for a database address. Raises StorageError if its package is not installed."""
    if url.startswith("sqlite"):
        name = "sqlite"
    elif url.startswith("postgres"):
        name = "postgresql"
    else:
        raise StorageError(
            "Keybearer does not know this kind of database address",
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
