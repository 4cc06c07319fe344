"""The newest message of an account, for `GET users/me`. It is found together with the key, so that it costs no second
query.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Integer, bindparam, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.messaging.tables import copies
from keybearer.server.storage.prepared import Prepared


def newest_message_id(account_id: ColumnElement[int]) -> ColumnElement[int]:
    """As part of a statement: the id of the newest message that was sent to the account, -1 if there is none."""
    newest = select(func.max(copies.c.message_id)).where(copies.c.account_id == account_id).scalar_subquery()
    return func.coalesce(newest, literal_column("-1"))


_NEWEST = Prepared(select(newest_message_id(bindparam("of_account_id", type_=Integer))))


async def find(connection: AsyncConnection, account_id: int) -> int:
    """The id of the newest message that was sent to the account, -1 if there is none."""
    (newest,) = await _NEWEST.values(connection, of_account_id=account_id)
    return int(newest)
