"""How keys end: they are revoked, together with all keys created with them; they are replaced; or they expire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import CTE, ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.storage.api_keys import from_row, is_live_at, records
from keybearer.server.storage.dialect import among
from keybearer.server.storage.tables import api_keys


def _with_all_created(start: ColumnElement[bool]) -> CTE:
    """The ids of these keys, of the keys that they replaced, and of all keys created with any of them."""
    ended = select(api_keys.c.id).where(start).cte("ended", recursive=True)
    is_next = or_(api_keys.c.created_with == ended.c.id, api_keys.c.replaced_by == ended.c.id)
    return ended.union(select(api_keys.c.id).join(ended, is_next))


async def find_holders(connection: AsyncConnection, account_ids: Iterable[int]) -> set[int]:
    """The holders of the live keys that end together with every key of these accounts: the accounts themselves, and the
    holders of keys that were created with these keys.
    """
    ended = _with_all_created(among(api_keys.c.account_id, account_ids))
    statement = select(api_keys.c.account_id).where(
        api_keys.c.id.in_(select(ended.c.id)), api_keys.c.revoked_at.is_(None)
    )
    return set((await connection.execute(statement.distinct())).scalars())


async def find_ending(connection: AsyncConnection, account_id: int, now: datetime) -> Sequence[APIKeyRecord]:
    """The live named keys that end together with every key of an account, in the order of issue."""
    ended = _with_all_created(api_keys.c.account_id == account_id)
    statement = records().where(
        api_keys.c.id.in_(select(ended.c.id)), api_keys.c.is_account_key.is_(False), is_live_at(now)
    )
    return [from_row(row) for row in await connection.execute(statement.order_by(api_keys.c.id))]


async def revoke(connection: AsyncConnection, key_id: int, *, by: int | None, at: datetime) -> Sequence[APIKeyRecord]:
    """Revoke a key, its predecessor in overlap, and all keys created with one of them. Returns those that were live."""
    return await _revoke(connection, api_keys.c.id == key_id, by=by, at=at)


async def revoke_all(
    connection: AsyncConnection, account_id: int, *, by: int | None, at: datetime
) -> Sequence[APIKeyRecord]:
    """Revoke all keys of an account, and all keys created with one of them. Returns those that were live."""
    return await _revoke(connection, api_keys.c.account_id == account_id, by=by, at=at)


async def _revoke(
    connection: AsyncConnection, start: ColumnElement[bool], *, by: int | None, at: datetime
) -> Sequence[APIKeyRecord]:
    """This erases the sealed texts too. The digests stay, so that the keys are still recognised."""
    ended = _with_all_created(start)
    doomed = records().where(api_keys.c.id.in_(select(ended.c.id)), api_keys.c.revoked_at.is_(None))
    found = [from_row(row) for row in await connection.execute(doomed.order_by(api_keys.c.id))]
    await connection.execute(
        update(api_keys)
        .where(among(api_keys.c.id, [record.id for record in found]))
        .values(revoked_at=at, revoked_by=by, sealed=None)
    )
    return [record for record in found if not record.grant.has_ended(at)]


async def end_replaced(connection: AsyncConnection, successor_id: int, *, by: int | None, at: datetime) -> None:
    """Revoke the key that this one replaced, if it is still in overlap."""
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.replaced_by == successor_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=by)
    )


async def take_ending(
    connection: AsyncConnection, now: datetime, *, within: timedelta, mails: int, limit: int
) -> Sequence[APIKeyRecord]:
    """The live keys that end within a time and whose owners have had fewer than `mails` mails about it, up to a limit.

    They are recorded as having had `mails`. A key that was replaced needs none.
    """
    due = (
        records()
        .where(
            api_keys.c.expires_at > now,
            api_keys.c.expires_at <= now + within,
            api_keys.c.revoked_at.is_(None),
            api_keys.c.replaced_by.is_(None),
            api_keys.c.end_mails < mails,
        )
        .order_by(api_keys.c.id)
        .limit(limit)
    )
    found = [from_row(row) for row in await connection.execute(due)]
    ids = [record.id for record in found]
    await connection.execute(update(api_keys).where(among(api_keys.c.id, ids)).values(end_mails=mails))
    return found
