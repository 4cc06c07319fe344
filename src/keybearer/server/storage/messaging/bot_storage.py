"""What bots keep on the server as rows: texts by keys."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.dialect import among, upsert
from keybearer.server.storage.messaging.tables import bot_storage


async def find(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None = None) -> dict[str, str]:
    """What an account keeps: under these keys, or everything. Keys that are not there are absent."""
    statement = select(bot_storage.c.key, bot_storage.c.value).where(bot_storage.c.account_id == account_id)
    if keys is not None:
        statement = statement.where(among(bot_storage.c.key, keys))
    return {row.key: row.value for row in await connection.execute(statement.order_by(bot_storage.c.key))}


async def size(connection: AsyncConnection, account_id: int) -> int:
    """How many characters an account keeps, keys and values."""
    lengths = func.sum(func.length(bot_storage.c.key) + func.length(bot_storage.c.value))
    total = (await connection.execute(select(lengths).where(bot_storage.c.account_id == account_id))).scalar_one()
    return int(total or 0)


async def put(connection: AsyncConnection, account_id: int, key: str, value: str) -> None:
    """Keep a text under a key, in place of what was there."""
    values = {"account_id": account_id, "key": key, "value": value}
    await upsert(connection, bot_storage, values, key=["account_id", "key"])


async def remove(connection: AsyncConnection, account_id: int, keys: Iterable[str]) -> None:
    """Forget what is under these keys."""
    await connection.execute(
        delete(bot_storage).where(bot_storage.c.account_id == account_id, among(bot_storage.c.key, keys))
    )
