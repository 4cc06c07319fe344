"""SQLAlchemy on asyncpg, whose connections also give direct access to the driver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import asyncpg
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import dialect as AsyncpgDialect  # noqa: N812  it is a class
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

from keybearer.server.storage.direct import DirectConnection

COMPILED: LRUCache[Any, Any] = LRUCache(1024)
"""Compiled statements of all engines of the process. The engines for reading and for writing have many in common."""


class SharingDialect(AsyncpgDialect):
    """PostgreSQL through asyncpg, with statements that are compiled once for all engines."""

    driver = "sharing"
    supports_statement_cache = True

    # Every engine has a dialect of its own, and all that know the same server version compile alike.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharingDialect) and self._version() == other._version()

    def __hash__(self) -> int:
        return hash(SharingDialect)

    def _version(self) -> object:
        return getattr(self, "server_version_info", None)


@final
class PostgreSQLConnection(DirectConnection):
    """SQLAlchemy's connection. Once the transaction has begun, statements go to asyncpg directly.

    Unless somebody else begins the transaction, the first statement does, as in SQLAlchemy.
    """

    text_dialect = AsyncpgDialect()  # type: ignore[no-untyped-call]

    raw: Any
    has_begun = False

    async def start(self, is_ctxmanager: bool = False) -> PostgreSQLConnection:
        await super().start(is_ctxmanager)
        self.raw = (await self.get_raw_connection()).driver_connection
        return self

    async def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:  # noqa: ANN401  as SQLAlchemy has it
        result = await super().execute(statement, parameters, execution_options=execution_options)
        self.has_begun = True
        return result

    async def exec_driver_sql(self, statement: str, parameters: Any = None, execution_options: Any = None) -> Any:  # noqa: ANN401  as SQLAlchemy has it
        result = await super().exec_driver_sql(statement, parameters, execution_options)
        self.has_begun = True
        return result

    async def ask(self, statement: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        if not self.has_begun:
            result = await self.exec_driver_sql(statement, tuple(parameters))
            first_rows: Sequence[Sequence[Any]] = result.all() if result.returns_rows else ()
            return first_rows
        self.tell_listeners(statement, parameters)
        try:
            rows: Sequence[Sequence[Any]] = await self.raw.fetch(statement, *parameters)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(statement, None, error) from None
        return rows

    async def ask_each(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        if not self.has_begun:
            await self.exec_driver_sql(statement, [tuple(row) for row in rows])
            return
        self.tell_listeners(statement, rows)
        try:
            await self.raw.executemany(statement, rows)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(statement, None, error) from None


class PostgreSQLEngine(AsyncEngine):
    """An engine whose connections give direct access to the driver."""

    _connection_cls = PostgreSQLConnection


registry.register("postgresql.sharing", __name__, SharingDialect.__name__)
