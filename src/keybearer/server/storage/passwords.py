"""Failed passwords as rows: counted in the database, so that every worker counts alike."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.storage.tables import password_failures


async def add_failure(connection: AsyncConnection, *, email_key: str, address: str, at: datetime) -> None:
    """Count a failure."""
    await connection.execute(insert(password_failures).values(email_key=email_key, address=address, at=at))


async def failures(
    connection: AsyncConnection, *, email_key: str, address: str, since: datetime
) -> tuple[int, datetime | None]:
    """How many failures since then for this account from this address, and when the first of them was."""
    row = (
        await connection.execute(
            select(func.count(), func.min(password_failures.c.at)).where(
                password_failures.c.email_key == email_key,
                password_failures.c.address == address,
                password_failures.c.at > since,
            )
        )
    ).one()
    return row[0], row[1]


async def forget_failures(connection: AsyncConnection, *, email_key: str, address: str | None = None) -> None:
    """Forget an account's failures: from one address, or from everywhere."""
    statement = delete(password_failures).where(password_failures.c.email_key == email_key)
    if address is not None:
        statement = statement.where(password_failures.c.address == address)
    await connection.execute(statement)


async def remove_old(connection: AsyncConnection, before: datetime) -> None:
    """Sweep out failures that no longer count."""
    await connection.execute(delete(password_failures).where(password_failures.c.at < before))
