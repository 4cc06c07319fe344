"""Mails waiting to be sent: written in the transaction of what they tell of, so none is lost and none is premature."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.mails import Mail, WaitingMail
from keybearer.server.storage.tables import mails


async def add(connection: AsyncConnection, mail: Mail, *, at: datetime) -> None:
    """Put a mail into the queue."""
    await connection.execute(
        insert(mails).values(
            recipient=mail.recipient, subject=mail.subject, body=mail.body, created_at=at, next_attempt_at=at
        )
    )


async def find_due(connection: AsyncConnection, now: datetime, *, limit: int) -> Sequence[WaitingMail]:
    """Mails whose turn it is, the oldest first."""
    rows = await connection.execute(
        select(mails)
        .where(mails.c.next_attempt_at <= now, mails.c.is_given_up.is_(False))
        .order_by(mails.c.id)
        .limit(limit)
    )
    return [
        WaitingMail(row.id, Mail(row.recipient, row.subject, row.body), row.attempts, row.created_at) for row in rows
    ]


async def claim(connection: AsyncConnection, mail_id: int, *, attempts: int, until: datetime) -> bool:
    """Take a mail for sending: False where another worker was faster. After `until` it is due again."""
    result = await connection.execute(
        update(mails)
        .where(mails.c.id == mail_id, mails.c.attempts == attempts)
        .values(attempts=attempts + 1, next_attempt_at=until)
        .returning(mails.c.id)
    )
    return result.first() is not None


async def remove(connection: AsyncConnection, mail_id: int) -> None:
    """A mail has been sent."""
    await connection.execute(delete(mails).where(mails.c.id == mail_id))


async def give_up(connection: AsyncConnection, mail_id: int) -> None:
    """A mail has failed too often; it stays for the operator to see."""
    await connection.execute(update(mails).where(mails.c.id == mail_id).values(is_given_up=True))
