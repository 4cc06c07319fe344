"""What bots store on the server, as rows: texts by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.accounts import is_of_person
from keybearer.server.storage.dialect import among, upsert_all
from keybearer.server.storage.messaging.tables import bot_storage


async def find(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None = None) -> dict[str, str]:
    """What an account stores under these keys, or everything. Missing keys are absent."""
    statement = select(bot_storage.c.key, bot_storage.c.value).where(bot_storage.c.account_id == account_id)
    if keys is not None:
        statement = statement.where(among(bot_storage.c.key, keys))
    return {row.key: row.value for row in await connection.execute(statement.order_by(bot_storage.c.key))}


class Stored(NamedTuple):
    """How much is stored: the number of keys, and the characters of keys and values."""

    keys: int
    characters: int


async def stored_by_account(connection: AsyncConnection, account_id: int) -> Stored:
    """How much an account stores."""
    return await _stored(connection, bot_storage.c.account_id == account_id)


async def stored_by_person(connection: AsyncConnection, person_id: int) -> Stored:
    """How much a person and their bots store."""
    return await _stored(connection, is_of_person(bot_storage.c.account_id, person_id))


async def _stored(connection: AsyncConnection, whose: ColumnElement[bool]) -> Stored:
    # From the index alone: the values may be many MB.
    keys, characters = (
        await connection.execute(select(func.count(), func.sum(bot_storage.c.characters)).where(whose))
    ).one()
    return Stored(keys, int(characters or 0))


async def put(connection: AsyncConnection, account_id: int, texts: Mapping[str, str]) -> None:
    """Store texts under keys, replacing earlier ones."""
    rows = [
        {"account_id": account_id, "key": key, "value": value, "characters": len(key) + len(value)}
        for key, value in texts.items()
    ]
    await upsert_all(connection, bot_storage, rows, key=["account_id", "key"])


async def remove(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None) -> None:
    """Delete what is stored under these keys, or everything."""
    statement = delete(bot_storage).where(bot_storage.c.account_id == account_id)
    await connection.execute(statement if keys is None else statement.where(among(bot_storage.c.key, keys)))
