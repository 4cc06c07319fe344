"""Attempts as rows. They are counted in the database, so that all workers share one count."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.limits import LONGEST_WINDOW, AttemptKind, PasswordHistory, Retention
from keybearer.server.storage.dialect import delete_some, take_turn
from keybearer.server.storage.tables import attempts


async def find_times(
    connection: AsyncConnection, kind: AttemptKind, *, subject: str, address: str, since: datetime
) -> list[datetime]:
    """When something was tried for this subject from this address since then, oldest first.

    Until the transaction ends, no other transaction reads the same attempts. So attempts in a burst are counted one by
    one.
    """
    await take_turn_for(connection, f"{kind}:{subject}", address)
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


async def take_turn_for(connection: AsyncConnection, subject: str, address: str) -> None:
    """Wait until no other transaction counts attempts for this subject from this address."""
    await take_turn(connection, f"attempts:{subject}:{address}")


async def find_history(connection: AsyncConnection, subject: str, address: str, now: datetime) -> PasswordHistory:
    """The history of passwords for this subject from this address, and for other subjects from there."""
    is_failure = (attempts.c.kind == AttemptKind.PASSWORD.value) & (attempts.c.at > now - LONGEST_WINDOW)
    is_sign_in = (
        (attempts.c.kind == AttemptKind.SIGN_IN.value)
        & (attempts.c.subject == subject)
        & (attempts.c.at > now - Retention.SIGN_INS.days)
    )
    rows = (
        await connection.execute(
            select(attempts.c.kind, attempts.c.subject, attempts.c.at)
            .where(attempts.c.address == address, is_failure | is_sign_in)
            .order_by(attempts.c.at)
        )
    ).all()
    failed = [row for row in rows if row.kind == AttemptKind.PASSWORD.value]
    others = {row.subject: row.at for row in failed if row.subject != subject}
    return PasswordHistory(
        own=[row.at for row in failed if row.subject == subject],
        others=sorted(others.values()),
        signed_in_at=max((row.at for row in rows if row.kind == AttemptKind.SIGN_IN.value), default=None),
    )


async def add(connection: AsyncConnection, kind: AttemptKind, *, subject: str, address: str, at: datetime) -> None:
    """Count an attempt."""
    await connection.execute(insert(attempts).values(kind=kind.value, subject=subject, address=address, at=at))


async def forget(connection: AsyncConnection, kind: AttemptKind, *, subject: str, address: str | None = None) -> None:
    """Forget the attempts for a subject, either from one address or from all."""
    statement = delete(attempts).where(attempts.c.kind == kind.value, attempts.c.subject == subject)
    if address is not None:
        statement = statement.where(attempts.c.address == address)
    await connection.execute(statement)


async def remove_old(connection: AsyncConnection, now: datetime, *, limit: int) -> int:
    """Delete attempts that no longer count, up to a limit. Returns how many."""
    is_old = attempts.c.at < now - LONGEST_WINDOW
    is_long_ago = attempts.c.at < now - Retention.SIGN_INS.days
    is_over = is_long_ago | (is_old & (attempts.c.kind != AttemptKind.SIGN_IN.value))
    return await delete_some(connection, attempts, is_over, limit=limit)
