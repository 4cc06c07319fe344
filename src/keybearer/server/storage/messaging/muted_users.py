"""Muted users as rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.messaging.muted_users import MutedUser
from keybearer.server.storage.accounts import is_of_person
from keybearer.server.storage.dialect import insert_or_ignore
from keybearer.server.storage.messaging.tables import muted_users
from keybearer.server.storage.prepared import Prepared

_MUTED = Prepared(
    select(muted_users).where(muted_users.c.account_id == bindparam("account_id")).order_by(muted_users.c.muted_id)
)


async def find_all(connection: AsyncConnection, account_id: int) -> Sequence[MutedUser]:
    """The accounts that an account has muted, by id."""
    return [MutedUser(**columns) for columns in await _MUTED.records(connection, account_id=account_id)]


async def add(connection: AsyncConnection, muted: MutedUser) -> bool:
    """Mute an account. False if it is already muted."""
    values = {"account_id": muted.account_id, "muted_id": muted.muted_id, "muted_at": muted.muted_at}
    return await insert_or_ignore(connection, muted_users, values, key=["account_id", "muted_id"])


async def remove(connection: AsyncConnection, account_id: int, muted_id: int) -> bool:
    """Unmute an account. False if it is not muted."""
    result = await connection.execute(
        delete(muted_users)
        .where(muted_users.c.account_id == account_id, muted_users.c.muted_id == muted_id)
        .returning(muted_users.c.muted_id)
    )
    return result.first() is not None


async def count_of_person(connection: AsyncConnection, person_id: int) -> int:
    """How many accounts a person and their bots have muted."""
    counted = select(func.count()).where(is_of_person(muted_users.c.account_id, person_id))
    return (await connection.execute(counted)).scalar_one()
