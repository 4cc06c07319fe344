"""PostgreSQL, through asyncpg."""

from __future__ import annotations

import asyncio
import select as polling
import socket
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
from sqlalchemy import ARRAY, ColumnElement, Select, Text, any_, bindparam, cast, func, select, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect as AsyncpgDialect  # noqa: N812  it is a class
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from keybearer.errors import StorageError
from keybearer.server.storage import postgresql_errors
from keybearer.server.storage.driver import Found
from keybearer.server.storage.postgresql_connections import Connections
from keybearer.server.storage.postgresql_dialect import COMPILED, PostgreSQLEngine

CONNECT_TIMEOUT = 10.0
HOST_TIMEOUT = 2.0
"""The same for each of several hosts: a host that is down must not delay the connection to the others."""

UNANSWERED_WITHIN = 4
"""Seconds after which a connection counts as lost if its other end does not confirm what is sent, or that it is still
reachable.
"""

LOOKUP_TIMEOUT = 5.0
STATEMENT_TIMEOUT = 30.0
"""Seconds after which the server counts as unreachable."""

READERS = 10
WRITERS = 10
"""How many transactions of each kind a worker has at most at the same time."""

MIGRATION_WAITS = 500
"""Milliseconds that a migration waits for users of a table. PostgreSQL looks for deadlocks after a second."""

_PEER_CLOSED = getattr(polling, "POLLRDHUP", 0)
"""Linux also reports an end of input. Errors and hang-ups are reported everywhere, without being asked for."""

_MIGRATION_LOCK = 0x6B657962  # "keyb": an advisory lock that no other program will take by accident


def connect(url: str) -> PostgreSQLDriver:
    """The driver for an address in the form that libpq and asyncpg understand."""
    return PostgreSQLDriver("postgresql://" + url.partition("://")[2])


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that notices promptly when the network to the server, or its machine, fails."""

    def watch(self) -> None:
        """Let the kernel end the connection when the other end is silent. Without this, a statement waits for its own
        timeout.
        """
        connected: socket.socket = self._transport.get_extra_info("socket")
        if connected.family == socket.AF_UNIX or sys.platform != "linux":
            return
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, UNANSWERED_WITHIN - 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_WITHIN * 1000)

    def has_ended(self) -> bool:
        """Whether this end, the server or the network has closed the connection.

        asyncpg knows it only after the event loop has read from the socket, so the kernel is asked too.
        """
        if self.is_closed():
            return True
        waiting = polling.poll()
        waiting.register(self._transport.get_extra_info("socket"), _PEER_CLOSED)
        return bool(waiting.poll(0))


class PostgreSQLDriver:
    """A PostgreSQL database, given by its address.

    If the address has several hosts, the one that accepts changes is used: the primary. Which one that is may change.
    """

    dialect_name = "postgresql"

    def __init__(self, dsn: str) -> None:
        self._dsns = _one_for_each_host(dsn)
        self._wanted = None if "target_session_attrs=" in dsn else "read-write"

    def reader(self) -> Connections:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        return Connections(self._engine(isolation_level="AUTOCOMMIT"), begin, READERS)

    def writer(self) -> Connections:
        return Connections(self._engine(isolation_level="AUTOCOMMIT"), "BEGIN", WRITERS)

    def migrator(self) -> AsyncEngine:
        return self._engine()

    def _engine(self, **options: object) -> PostgreSQLEngine:
        engine = create_async_engine(
            "postgresql+sharing://",
            async_creator=self.open,
            poolclass=NullPool,
            execution_options={"compiled_cache": COMPILED, **options},
            hide_parameters=True,  # a failure is logged, and the parameters may contain a link for signing in
        )
        return PostgreSQLEngine(engine.sync_engine)

    async def open(self, *, command_timeout: float = STATEMENT_TIMEOUT) -> Any:  # noqa: ANN401  asyncpg has no types
        """A connection of the driver itself. Raises StorageError if the server refuses the connection."""
        failures = []
        for dsn in tuple(self._dsns):
            try:
                connection = await asyncpg.connect(
                    dsn,
                    timeout=CONNECT_TIMEOUT if len(self._dsns) == 1 else HOST_TIMEOUT,
                    command_timeout=command_timeout,
                    target_session_attrs=self._wanted,
                    connection_class=Connection,
                )
            except postgresql_errors.NOT_LET_IN as error:
                failures.append(error)
            else:
                self._dsns.remove(dsn)
                self._dsns.insert(0, dsn)  # the host where it was found last time is tried first
                connection.watch()
                return connection
        # An error from a server says more than that another server could not be reached.
        raise postgresql_errors.connection_error(
            next((each for each in failures if not isinstance(each, OSError)), failures[0])
        ) from None

    def exists(self) -> bool:
        return True

    async def keep_copy(self, revision: str) -> None:
        """Nothing: a database server has backups of its own."""

    async def take_migration_lock(self, connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        # Programs that want a table wait as long as the migration does, so they would otherwise wait until a deadlock
        # is found.
        await connection.execute(text(f"SET LOCAL lock_timeout = {MIGRATION_WAITS}"))

    def is_held_up(self, error: Exception) -> bool:
        return postgresql_errors.code_of(error) == postgresql_errors.LOCK_NOT_AVAILABLE

    async def check_after_migration(self, connection: AsyncConnection) -> None:
        """Nothing: PostgreSQL has checked each statement."""

    def lookup(
        self, statement: Select[Any], by: ColumnElement[Any], beside: Select[Any] | None = None
    ) -> PostgreSQLLookup:
        values = bindparam("values", type_=ARRAY(by.type))
        dialect = AsyncpgDialect()  # type: ignore[no-untyped-call]
        asked = statement.where(by == any_(values))
        if beside is not None:  # the server builds the text once, and each row ends with it
            others = beside.subquery()
            listed = select(cast(func.json_agg(func.json_build_array(*others.columns)), Text)).select_from(others)
            asked = asked.add_columns(listed.scalar_subquery())
        return PostgreSQLLookup(self, str(asked.compile(dialect=dialect)), has_beside=beside is not None)

    def explain(self, error: Exception) -> StorageError | None:
        return postgresql_errors.explain(error)


def _one_for_each_host(dsn: str) -> list[str]:
    """The address, once for each of the hosts that it lists with commas between them."""
    parts = urlsplit(dsn)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return [dsn]
    return [urlunsplit(parts._replace(netloc=f"{user}{at}{host}")) for host in hosts.split(",")]


_decode = msgspec.json.Decoder(list[list[Any]]).decode


_PLAN_ONCE = "SET plan_cache_mode = force_generic_plan"
"""Lets PostgreSQL plan a query when it is prepared, and again when the tables' statistics change. By itself, it plans a
query that has an array again for each use, which takes as long as the look-up.
"""


class PostgreSQLLookup:
    """A query on a connection of its own, which is opened again after any failure."""

    def __init__(self, driver: PostgreSQLDriver, statement: str, *, has_beside: bool) -> None:
        self._driver = driver
        self._statement = statement
        self._has_beside = has_beside
        self._connection: Any = None
        self._turn = asyncio.Lock()

    async def fetch(self, values: Sequence[Any]) -> Found:
        async with self._turn:
            connection, self._connection = self._connection, None
            is_new = connection is None or connection.has_ended()
            if is_new:
                connection = await self._driver.open(command_timeout=LOOKUP_TIMEOUT)
            try:
                if is_new:
                    await connection.execute(_PLAN_ONCE)
                rows: Sequence[Sequence[Any]] = await connection.fetch(self._statement, values)
            except postgresql_errors.LOST:
                connection.terminate()
                raise postgresql_errors.cannot_be_used() from None
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        if not rows or not self._has_beside:
            return Found(rows)
        return Found([row[:-1] for row in rows], _decode(rows[0][-1]))

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
