"""Web sessions as rows. A row holds the digest of the cookie's token, so that nobody can sign in with a stolen
database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.secret import Secret
from keybearer.server.domain.sessions import IDLE_LIFETIME, LIFETIME, Session
from keybearer.server.storage.dialect import delete_some
from keybearer.server.storage.tables import sessions

COLUMNS = [column for column in sessions.c if column.name != "digest"]


def digest(token: Secret) -> bytes:
    """SHA-256 suffices: the token has 256 bits of randomness."""
    return hashlib.sha256(token.reveal().encode()).digest()


def from_row(row: Row[tuple[object, ...]]) -> Session:
    """The value of a row that has `COLUMNS`."""
    return Session(**row._mapping)


async def add(
    connection: AsyncConnection, token: Secret, *, account_id: int, at: datetime, address: str, client: str
) -> Session:
    """Open a session. The password has just been given, so it counts as confirmed."""
    row = await connection.execute(
        insert(sessions)
        .values(
            digest=digest(token),
            account_id=account_id,
            created_at=at,
            last_seen_at=at,
            expires_at=at + LIFETIME,
            confirmed_at=at,
            address=address,
            client=client,
        )
        .returning(*COLUMNS)
    )
    return from_row(row.one())


async def find(connection: AsyncConnection, token: Secret, now: datetime) -> Session | None:
    """The session with a cookie's token, if it has not ended and was not idle too long."""
    row = (
        await connection.execute(
            select(*COLUMNS).where(
                sessions.c.digest == digest(token),
                sessions.c.expires_at > now,
                sessions.c.last_seen_at > now - IDLE_LIFETIME,
            )
        )
    ).first()
    return None if row is None else from_row(row)


async def find_all(connection: AsyncConnection, account_id: int, now: datetime) -> Sequence[Session]:
    """The sessions of an account, last seen first."""
    rows = await connection.execute(
        select(*COLUMNS)
        .where(
            sessions.c.account_id == account_id,
            sessions.c.expires_at > now,
            sessions.c.last_seen_at > now - IDLE_LIFETIME,
        )
        .order_by(sessions.c.last_seen_at.desc(), sessions.c.id.desc())
    )
    return [from_row(row) for row in rows]


async def touch(connection: AsyncConnection, session_id: int, at: datetime, *, address: str, client: str) -> None:
    """Record that the session was seen."""
    await connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.last_seen_at < at)
        .values(last_seen_at=at, address=address, client=client)
    )


async def confirm(connection: AsyncConnection, session_id: int, at: datetime) -> None:
    """Record that the person has just given the password."""
    await connection.execute(update(sessions).where(sessions.c.id == session_id).values(confirmed_at=at))


async def remove(connection: AsyncConnection, account_id: int, session_id: int) -> bool:
    """End one session of that account. False if it has no such session."""
    result = await connection.execute(
        delete(sessions)
        .where(sessions.c.id == session_id, sessions.c.account_id == account_id)
        .returning(sessions.c.id)
    )
    return result.first() is not None


async def remove_all(connection: AsyncConnection, account_id: int, *, besides: int | None = None) -> int:
    """End all sessions of an account except one. Returns how many."""
    statement = delete(sessions).where(sessions.c.account_id == account_id)
    if besides is not None:
        statement = statement.where(sessions.c.id != besides)
    return len((await connection.execute(statement.returning(sessions.c.id))).all())


async def remove_ended(connection: AsyncConnection, now: datetime, *, limit: int) -> int:
    """Delete the rows of ended sessions, up to a limit. Returns how many."""
    is_over = (sessions.c.expires_at <= now) | (sessions.c.last_seen_at <= now - IDLE_LIFETIME)
    return await delete_some(connection, sessions, is_over, limit=limit)


async def remove_beyond(connection: AsyncConnection, account_id: int, most: int) -> int:
    """End the sessions of an account that exceed `most`, those that were unseen the longest. Returns how many."""
    mine = sessions.c.account_id == account_id
    newest = select(sessions.c.id).where(mine).order_by(sessions.c.last_seen_at.desc(), sessions.c.id.desc())
    beyond = delete(sessions).where(mine, sessions.c.id.not_in(newest.limit(most)))
    return len((await connection.execute(beyond.returning(sessions.c.id))).all())
