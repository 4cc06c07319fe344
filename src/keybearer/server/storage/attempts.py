"""Attempts as rows. They are counted in the database, so that all workers share one count."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.attempts import LONGEST_WINDOW, AttemptKind, PasswordHistory
from keybearer.server.domain.limits import Retention
from keybearer.server.storage.dialect import delete_some, take_turn
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import attempts

_failed_since = bindparam("failed_since", type_=attempts.c.at.type)
_signed_in_since = bindparam("signed_in_since", type_=attempts.c.at.type)
_HISTORY = Prepared(
    select(attempts.c.kind, attempts.c.subject, attempts.c.at)
    .where(
        attempts.c.address == bindparam("of_address"),
        ((attempts.c.kind == AttemptKind.PASSWORD.value) & (attempts.c.at > _failed_since))
        | (
            (attempts.c.kind == AttemptKind.SIGN_IN.value)
            & (attempts.c.subject == bindparam("of_subject"))
            & (attempts.c.at > _signed_in_since)
        ),
    )
    .order_by(attempts.c.at)
)
_ADDED = Prepared(insert(attempts), columns=("kind", "subject", "address", "at"))
_OF_SUBJECT = delete(attempts).where(
    attempts.c.kind == bindparam("of_kind"), attempts.c.subject == bindparam("of_subject")
)
_FORGOTTEN = Prepared(_OF_SUBJECT)
_FORGOTTEN_FROM = Prepared(_OF_SUBJECT.where(attempts.c.address == bindparam("of_address")))


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
    rows = await _HISTORY.rows(
        connection,
        of_address=address,
        of_subject=subject,
        failed_since=now - LONGEST_WINDOW,
        signed_in_since=now - Retention.SIGN_INS.days,
    )
    failed = [(failed_subject, at) for kind, failed_subject, at in rows if kind == AttemptKind.PASSWORD.value]
    others = {failed_subject: at for failed_subject, at in failed if failed_subject != subject}
    return PasswordHistory(
        own=[at for failed_subject, at in failed if failed_subject == subject],
        others=sorted(others.values()),
        signed_in_at=max((at for kind, _, at in rows if kind == AttemptKind.SIGN_IN.value), default=None),
    )


async def add(connection: AsyncConnection, kind: AttemptKind, *, subject: str, address: str, at: datetime) -> None:
    """Count an attempt."""
    await _ADDED.run(connection, kind=kind.value, subject=subject, address=address, at=at)


async def forget(connection: AsyncConnection, kind: AttemptKind, *, subject: str, address: str | None = None) -> None:
    """Forget the attempts for a subject, either from one address or from all."""
    if address is None:
        await _FORGOTTEN.run(connection, of_kind=kind.value, of_subject=subject)
    else:
        await _FORGOTTEN_FROM.run(connection, of_kind=kind.value, of_subject=subject, of_address=address)


async def remove_old(connection: AsyncConnection, now: datetime, *, limit: int) -> int:
    """Delete attempts that no longer count, up to a limit. Returns how many."""
    is_old = attempts.c.at < now - LONGEST_WINDOW
    is_long_ago = attempts.c.at < now - Retention.SIGN_INS.days
    is_over = is_long_ago | (is_old & (attempts.c.kind != AttemptKind.SIGN_IN.value))
    return await delete_some(connection, attempts, is_over, limit=limit)
