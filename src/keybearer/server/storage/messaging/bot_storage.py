"""What bots keep on the server as rows: texts by keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.dialect import among, upsert_all
from keybearer.server.storage.messaging.tables import bot_storage


async def find(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None = None) -> dict[str, str]:
    """What an account keeps: under these keys, or everything. Keys that are not there are absent."""
    statement = select(bot_storage.c.key, bot_storage.c.value).where(bot_storage.c.account_id == account_id)
    if keys is not None:
        statement = statement.where(among(bot_storage.c.key, keys))
    return {row.key: row.value for row in await connection.execute(statement.order_by(bot_storage.c.key))}


async def size(connection: AsyncConnection, account_id: int) -> tuple[int, int]:
    """How many keys an account keeps, and how many characters, of keys and values."""
    lengths = func.sum(func.length(bot_storage.c.key) + func.length(bot_storage.c.value))
    statement = select(func.count(), lengths).where(bot_storage.c.account_id == account_id)
    keys, total = (await connection.execute(statement)).one()
    return keys, int(total or 0)


async def put(connection: AsyncConnection, account_id: int, texts: Mapping[str, str]) -> None:
    """Keep texts under keys, in place of what was there."""
    rows = [{"account_id": account_id, "key": key, "value": value} for key, value in texts.items()]
    await upsert_all(connection, bot_storage, rows, key=["account_id", "key"])


async def remove(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None) -> None:
    """Forget what is under these keys, or everything."""
    statement = delete(bot_storage).where(bot_storage.c.account_id == account_id)
    await connection.execute(statement if keys is None else statement.where(among(bot_storage.c.key, keys)))
