"""What bots store on the server, as rows: texts by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.dialect import among, upsert_all
from keybearer.server.storage.messaging.tables import bot_storage


async def find(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None = None) -> dict[str, str]:
    """What an account stores under these keys, or everything. Missing keys are absent."""
    statement = select(bot_storage.c.key, bot_storage.c.value).where(bot_storage.c.account_id == account_id)
    if keys is not None:
        statement = statement.where(among(bot_storage.c.key, keys))
    return {row.key: row.value for row in await connection.execute(statement.order_by(bot_storage.c.key))}


async def size(connection: AsyncConnection, account_id: int) -> tuple[int, int]:
    """How many keys an account stores, and how many characters keys and values have."""
    lengths = func.sum(func.length(bot_storage.c.key) + func.length(bot_storage.c.value))
    statement = select(func.count(), lengths).where(bot_storage.c.account_id == account_id)
    keys, total = (await connection.execute(statement)).one()
    return keys, int(total or 0)


async def put(connection: AsyncConnection, account_id: int, texts: Mapping[str, str]) -> None:
    """Store texts under keys, replacing earlier ones."""
    rows = [{"account_id": account_id, "key": key, "value": value} for key, value in texts.items()]
    await upsert_all(connection, bot_storage, rows, key=["account_id", "key"])


async def remove(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None) -> None:
    """Delete what is stored under these keys, or everything."""
    statement = delete(bot_storage).where(bot_storage.c.account_id == account_id)
    await connection.execute(statement if keys is None else statement.where(among(bot_storage.c.key, keys)))
