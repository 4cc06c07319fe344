"""What bots store on the server, as rows: texts by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.accounts import is_of_person
from keybearer.server.storage.dialect import among, among_given, changing_many, upsert_all
from keybearer.server.storage.messaging.tables import bot_storage
from keybearer.server.storage.prepared import Prepared, Row

_OWN = bot_storage.c.account_id == bindparam("account_id")
_NAMED = among_given(bot_storage.c.key, "keys")
_TEXTS = select(bot_storage.c.key, bot_storage.c.value).where(_OWN).order_by(bot_storage.c.key)
# Counted from the index alone: the values may be many MB.
_COUNTED: list[ColumnElement[Any]] = [func.count(), func.sum(bot_storage.c.characters)]
_SIZE = select(*_COUNTED).where(_OWN)
_ALL, _SOME = Prepared(_TEXTS), Prepared(_TEXTS.where(_NAMED))
_SIZE_OF_ALL, _SIZE_OF_SOME = Prepared(_SIZE), Prepared(_SIZE.where(_NAMED))
_SIZE_OF_PERSON = Prepared(
    select(*_COUNTED).where(is_of_person(bot_storage.c.account_id, bindparam("person_id", type_=Integer)))
)


async def find(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None = None) -> dict[str, str]:
    """What an account stores under these keys, or everything. Missing keys are absent."""
    if keys is None:
        rows = await _ALL.rows(connection, account_id=account_id)
    else:
        rows = await _SOME.rows(connection, account_id=account_id, keys=sorted(set(keys)))
    return {row[0]: row[1] for row in rows}


class Stored(NamedTuple):
    """How much is stored: the number of keys, and the characters of keys and values."""

    keys: int
    characters: int


async def stored_by_account(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None = None) -> Stored:
    """How much an account stores, or how much of it under these keys."""
    if keys is None:
        return _stored(await _SIZE_OF_ALL.row(connection, account_id=account_id))
    return _stored(await _SIZE_OF_SOME.row(connection, account_id=account_id, keys=sorted(set(keys))))


async def stored_by_person(connection: AsyncConnection, person_id: int) -> Stored:
    """How much a person and their bots store."""
    return _stored(await _SIZE_OF_PERSON.row(connection, person_id=person_id))


def _stored(row: Row | None) -> Stored:
    assert row is not None
    return Stored(row[0], int(row[1] or 0))


async def put(connection: AsyncConnection, account_id: int, texts: Mapping[str, str]) -> None:
    """Store texts under keys, replacing earlier ones."""
    rows = [
        {"account_id": account_id, "key": key, "value": value, "characters": len(key) + len(value)}
        for key, value in texts.items()
    ]
    await upsert_all(connection, bot_storage, rows, key=["account_id", "key"])


async def remove(connection: AsyncConnection, account_id: int, keys: Iterable[str] | None) -> None:
    """Delete what is stored under these keys, or everything."""
    statement = changing_many(delete(bot_storage).where(bot_storage.c.account_id == account_id))
    await connection.execute(statement if keys is None else statement.where(among(bot_storage.c.key, keys)))
