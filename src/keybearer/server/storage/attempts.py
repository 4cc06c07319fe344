"""Attempts as rows: counted in the database, so that every worker counts alike."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.limits import AttemptKind
from keybearer.server.storage.dialect import take_turn, unheld
from keybearer.server.storage.tables import attempts


async def find_times(
    connection: AsyncConnection, kind: AttemptKind, *, subject: str, address: str, since: datetime
) -> list[datetime]:
    """When something was tried for this subject from this address since then, the oldest first.

    Until the transaction ends nobody else looks at the same attempts, so that a burst is counted one by one.
    """
    await take_turn(connection, f"attempts:{kind}:{subject}:{address}")
    rows = await connection.execute(
        select(attempts.c.at)
        .where(
            attempts.c.kind == kind.value,
            attempts.c.subject == subject,
            attempts.c.address == address,
            attempts.c.at > since,
        )
        .order_by(attempts.c.at)
    )
    return list(rows.scalars())


async def add(connection: AsyncConnection, kind: AttemptKind, *, subject: str, address: str, at: datetime) -> None:
    """Count an attempt."""
    await connection.execute(insert(attempts).values(kind=kind.value, subject=subject, address=address, at=at))


async def forget(connection: AsyncConnection, kind: AttemptKind, *, subject: str, address: str | None = None) -> None:
    """Forget the attempts for a subject: those from one address, or from everywhere."""
    statement = delete(attempts).where(attempts.c.kind == kind.value, attempts.c.subject == subject)
    if address is not None:
        statement = statement.where(attempts.c.address == address)
    await connection.execute(statement)


async def remove_old(connection: AsyncConnection, before: datetime) -> None:
    """Sweep out attempts that no longer count."""
    old = select(attempts.c.id).where(attempts.c.at < before)
    await connection.execute(delete(attempts).where(attempts.c.id.in_(unheld(old))))
