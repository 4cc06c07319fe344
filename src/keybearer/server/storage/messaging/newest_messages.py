"""The newest message of an account, told by `GET users/me`: found with the key, so that it costs no second query."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, literal, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.messaging.tables import copies


def newest_message_id(account_id: ColumnElement[int]) -> ColumnElement[int]:
    """In a statement: the id of the newest message that the account was sent; -1 where there is none."""
    newest = select(func.max(copies.c.message_id)).where(copies.c.account_id == account_id).scalar_subquery()
    return func.coalesce(newest, literal_column("-1"))


async def find(connection: AsyncConnection, account_id: int) -> int:
    """The id of the newest message that the account was sent; -1 where there is none."""
    statement = select(newest_message_id(literal(account_id)))
    return (await connection.execute(statement)).scalar_one()
