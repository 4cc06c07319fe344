"""Mails waiting to be sent. They are written in the transaction that they are about, so that none is lost or sent too
early.

Their text is sealed, because it may contain a link with which its reader can set a password or join.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.secret import Secret
from keybearer.server.domain.limits import Cap, Retention
from keybearer.server.domain.mails import Mail, MailHead
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among_given, delete_some
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.secret_ring import Sealed, SecretRing
from keybearer.server.storage.tables import mails


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail in the queue with its sealed text, and how often sending it was tried."""

    id: int
    recipient: str
    subject: str
    text: Sealed | Secret
    attempts: int
    created_at: datetime
    is_given_up: bool = False

    def opened(self, ring: SecretRing) -> Mail:
        """The opened mail. Raises SecretRingError if its text does not open."""
        text = self.text if isinstance(self.text, Secret) else ring.unseal(self.text, bound_to(self.recipient))
        return Mail(self.recipient, self.subject, text.reveal())


def bound_to(recipient: str) -> bytes:
    """What a sealed text is bound to. With another recipient it does not open."""
    return b"mails:" + recipient.encode()


_ADDED = Prepared(
    insert(mails),
    columns=("recipient", "subject", "body", "secret_id", "sealed_body", "created_at", "next_attempt_at"),
)
_WAITING = Prepared(
    select(mails.c.recipient, func.count())
    .where(among_given(mails.c.recipient, "recipients"), mails.c.is_given_up.is_(False))
    .group_by(mails.c.recipient)
)


async def add(connection: AsyncConnection, ring: SecretRing, new: Iterable[Mail], *, at: datetime) -> None:
    """Put mails into the queue."""

    def row(mail: Mail) -> dict[str, object]:
        body = ring.seal(Secret(mail.body), bound_to(mail.recipient))
        return {
            "recipient": mail.recipient,
            "subject": mail.subject,
            "body": "",
            "secret_id": body.secret_id,
            "sealed_body": body.box,
            "created_at": at,
            "next_attempt_at": at,
        }

    rows = await paced(row, new)
    await _ADDED.run_each(connection, rows)


async def count(connection: AsyncConnection) -> int:
    """How many mails are waiting."""
    statement = select(func.count()).select_from(mails).where(mails.c.is_given_up.is_(False))
    return (await connection.execute(statement)).scalar_one()


async def count_given_up(connection: AsyncConnection) -> int:
    """How many mails failed too often and are kept for the operator to see."""
    return (await connection.execute(select(func.count()).where(mails.c.is_given_up))).scalar_one()


async def count_to(connection: AsyncConnection, recipients: Iterable[str]) -> dict[str, int]:
    """How many mails wait for each of these recipients. Recipients without waiting mails are absent."""
    rows = await _WAITING.rows(connection, recipients=sorted(set(recipients)))
    return {str(recipient): int(waiting) for recipient, waiting in rows}


async def find_due(connection: AsyncConnection, now: datetime, *, limit: int) -> Sequence[WaitingMail]:
    """Mails that are due, oldest first."""
    rows = await connection.execute(
        select(mails)
        .where(mails.c.next_attempt_at <= now, mails.c.is_given_up.is_(False))
        .order_by(mails.c.id)
        .limit(limit)
    )
    return [_from_row(row) for row in rows]


async def find_heads(connection: AsyncConnection, *, limit: int) -> Sequence[MailHead]:
    """The recipients and subjects of mails that were not sent, newest first."""
    columns = (mails.c.recipient, mails.c.subject, mails.c.created_at, mails.c.is_given_up)
    rows = await connection.execute(select(*columns).order_by(mails.c.id.desc()).limit(limit))
    return [MailHead(**row._mapping) for row in rows]


async def find_newest(connection: AsyncConnection, *, limit: int) -> Sequence[WaitingMail]:
    """The newest mails that have not been sent, including those that were given up, the oldest of them first."""
    rows = await connection.execute(select(mails).order_by(mails.c.id.desc()).limit(limit))
    return [_from_row(row) for row in reversed(rows.all())]


def _from_row(row: Row[tuple[object, ...]]) -> WaitingMail:
    columns = row._mapping
    is_sealed = columns["sealed_body"] is not None
    return WaitingMail(
        id=columns["id"],
        recipient=columns["recipient"],
        subject=columns["subject"],
        text=Sealed(columns["secret_id"], columns["sealed_body"]) if is_sealed else Secret(columns["body"]),
        attempts=columns["attempts"],
        created_at=columns["created_at"],
        is_given_up=columns["is_given_up"],
    )


async def claim(connection: AsyncConnection, mail_id: int, *, attempts: int, until: datetime) -> bool:
    """Reserve a mail for sending. False if another worker was faster. After `until` it is due again."""
    result = await connection.execute(
        update(mails)
        .where(mails.c.id == mail_id, mails.c.attempts == attempts)
        .values(attempts=attempts + 1, next_attempt_at=until)
        .returning(mails.c.id)
    )
    return result.first() is not None


async def remove(connection: AsyncConnection, mail_id: int) -> None:
    """Delete a mail that has been sent."""
    await connection.execute(delete(mails).where(mails.c.id == mail_id))


async def remove_given_up(connection: AsyncConnection, now: datetime, *, limit: int) -> int:
    """Delete mails that were given up long ago, or that have too many newer ones after them, up to a limit. Returns how
    many.
    """
    is_old = mails.c.created_at < now - Retention.GIVEN_UP_MAILS.days
    given_up = select(mails.c.id).where(mails.c.is_given_up).order_by(mails.c.id.desc())
    is_one_too_many = mails.c.id <= given_up.offset(Cap.MAILS.most).limit(1).scalar_subquery()
    return await delete_some(connection, mails, mails.c.is_given_up, is_old | is_one_too_many, limit=limit)


async def give_up(connection: AsyncConnection, mail_id: int) -> None:
    """Give up a mail that failed too often, or that nothing can send. It is kept for the operator to see."""
    await connection.execute(update(mails).where(mails.c.id == mail_id).values(is_given_up=True))
