"""How keys end: they are revoked, together with all keys created with them; they are replaced; or they expire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import CTE, ColumnElement, and_, bindparam, delete, func, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.api_keys import from_columns, from_row, is_live_at, records
from keybearer.server.storage.dialect import among, among_given
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import accounts, api_keys, links


def _with_all_created(start: ColumnElement[bool], *, nesting: bool = False) -> CTE:
    """The ids of these keys, of the keys that they replaced, and of all keys created with any of them.

    `nesting` puts them into the place where they are used, so that a statement begins with SELECT. SQLite may then take
    its time without holding up the event loop.
    """
    ended = select(api_keys.c.id).where(start).cte("ended", recursive=True, nesting=nesting)
    is_next = or_(api_keys.c.created_with == ended.c.id, api_keys.c.replaced_by == ended.c.id)
    return ended.union(select(api_keys.c.id).join(ended, is_next))


def _live_among(ended: CTE) -> ColumnElement[bool]:
    return api_keys.c.id.in_(select(ended.c.id)) & api_keys.c.revoked_at.is_(None)


def _doomed(start: ColumnElement[bool]) -> Prepared:
    """The keys that end together with these keys."""
    return Prepared(records().where(_live_among(_with_all_created(start))).order_by(api_keys.c.id))


_MAY_END_OTHERS = api_keys.c.revoked_at.is_(None) | api_keys.c.is_account_key.is_(False)
"""Where a search for what ends with all keys of an account begins. When an account key ended, all keys created with it
ended too, and there may be thousands of such account keys. The schema has an index for exactly this condition.
"""

_KEYS = among_given(api_keys.c.id, "start")
_OF_ACCOUNT = (api_keys.c.account_id == bindparam("start")) & _MAY_END_OTHERS


class _Ending(NamedTuple):
    """The statements for what ends: the keys, and the invitations that were sent with one of them."""

    keys: Prepared
    invitations: Prepared

    @classmethod
    def starting(cls, start: ColumnElement[bool]) -> _Ending:
        ended = _with_all_created(start)
        sent_with = select(links.c.id).where(links.c.created_with.in_(select(ended.c.id)))
        return cls(_doomed(start), Prepared(sent_with))


_DELETED = Prepared(delete(links).where(among_given(links.c.id, "ids")))
_WITH_KEYS = _Ending.starting(_KEYS)
_WITH_ACCOUNT = _Ending.starting(_OF_ACCOUNT)
_REVOKED = Prepared(
    update(api_keys)
    .where(among_given(api_keys.c.id, "ids"))
    .values(revoked_at=bindparam("at"), revoked_by=bindparam("by"), sealed=None)
)
_HOLDERS = Prepared(
    select(api_keys.c.account_id)
    .where(_live_among(_with_all_created(among_given(api_keys.c.account_id, "account_ids") & _MAY_END_OTHERS)))
    .distinct()
)


_bots = accounts.alias("bots")
# SQLite would read the whole table for a condition with OR.
_MADE_BY_OR_FOR = api_keys.c.id.in_(
    union_all(
        *(
            select(api_keys.c.id).where(api_keys.c.is_account_key.is_(False), condition)
            for condition in (
                api_keys.c.created_by == bindparam("account_id"),
                api_keys.c.account_id == bindparam("account_id"),
                api_keys.c.account_id.in_(select(_bots.c.id).where(_bots.c.bot_owner_id == bindparam("account_id"))),
            )
        )
    )
) & (api_keys.c.created_by != api_keys.c.account_id)
_MADE_FOR_BOTS = Prepared(records().where(_MADE_BY_OR_FOR, api_keys.c.revoked_at.is_(None)).order_by(api_keys.c.id))
_HOLDERS_OF_MADE = Prepared(
    select(api_keys.c.account_id).where(_live_among(_with_all_created(_MADE_BY_OR_FOR))).distinct()
)


async def find_made_for_bots(connection: AsyncConnection, account_id: int) -> Sequence[APIKeyRecord]:
    """The live named keys that an account created for bots, and those that anybody created for the account or its
    bots.
    """
    found = await _MADE_FOR_BOTS.records(connection, account_id=account_id)
    return [from_columns(columns) for columns in found]


async def find_holders_of_made(connection: AsyncConnection, account_id: int) -> set[int]:
    """The holders of the keys that `find_made_for_bots` finds, and of the keys that end with these."""
    return set(await _HOLDERS_OF_MADE.values(connection, account_id=account_id))


async def find_holders(connection: AsyncConnection, account_ids: Iterable[int]) -> set[int]:
    """The holders of the live keys that end together with every key of these accounts: the accounts themselves, and the
    holders of keys that were created with these keys.
    """
    return set(await _HOLDERS.values(connection, account_ids=sorted(set(account_ids))))


@dataclass(frozen=True, slots=True)
class EndingKeys:
    """How many keys end, and the first of them in the order of issue."""

    count: int
    first: Sequence[APIKeyRecord]


async def find_ending(
    connection: AsyncConnection, account_id: int, now: datetime, *, limit: int | None = None
) -> EndingKeys:
    """The live keys that end together with every key of an account, without its account key."""
    start = (api_keys.c.account_id == account_id) & _MAY_END_OTHERS
    is_other = or_(api_keys.c.is_account_key.is_(False), api_keys.c.account_id != account_id)
    return await _find_live_among(connection, start, is_other, now, limit)


async def find_ending_with(
    connection: AsyncConnection, key_id: int, now: datetime, *, limit: int | None = None
) -> EndingKeys:
    """The other live keys that end together with a key."""
    return await _find_live_among(connection, api_keys.c.id == key_id, api_keys.c.id != key_id, now, limit)


async def _find_live_among(
    connection: AsyncConnection,
    start: ColumnElement[bool],
    is_other: ColumnElement[bool],
    now: datetime,
    limit: int | None,
) -> EndingKeys:
    ended = _with_all_created(start, nesting=True)
    is_ending = and_(api_keys.c.id.in_(select(ended.c.id)), is_live_at(now), is_other)
    rows = await connection.execute(records().where(is_ending).order_by(api_keys.c.id).limit(limit))
    first = await paced(from_row, rows)
    if limit is None or len(first) < limit:
        return EndingKeys(len(first), first)
    counted = await connection.execute(select(func.count()).select_from(api_keys).where(is_ending))
    return EndingKeys(counted.scalar_one(), first)


async def revoke(connection: AsyncConnection, key_id: int, *, by: int | None, at: datetime) -> Sequence[APIKeyRecord]:
    """Revoke a key, its predecessor in overlap, and all keys created with one of them. Invitations that were sent with
    them end too. Returns the keys that were live.
    """
    return await revoke_several(connection, [key_id], by=by, at=at)


async def revoke_several(
    connection: AsyncConnection, key_ids: Sequence[int], *, by: int | None, at: datetime
) -> Sequence[APIKeyRecord]:
    """The same for several keys."""
    return await _revoke(connection, _WITH_KEYS, key_ids, by=by, at=at)


async def revoke_all(
    connection: AsyncConnection, account_id: int, *, by: int | None, at: datetime
) -> Sequence[APIKeyRecord]:
    """The same for all keys of an account."""
    return await _revoke(connection, _WITH_ACCOUNT, account_id, by=by, at=at)


async def _revoke(
    connection: AsyncConnection, ending: _Ending, start: object, *, by: int | None, at: datetime
) -> Sequence[APIKeyRecord]:
    """This erases the sealed texts too. The digests stay, so that the keys are still recognised."""
    found = await paced(from_columns, await ending.keys.records(connection, start=start))
    if any(not record.is_account_key for record in found):  # only named keys have invitations that end with them
        # Not one statement: SQLite could not stop it, however many keys it goes through.
        sent = await ending.invitations.values(connection, start=start)
        if sent:
            await _DELETED.run(connection, ids=sent)
    await _REVOKED.run(connection, ids=[record.id for record in found], at=at, by=by)
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
    is_due = (
        (api_keys.c.expires_at > now)
        & (api_keys.c.expires_at <= now + within)
        & api_keys.c.revoked_at.is_(None)
        & api_keys.c.replaced_by.is_(None)
        & (api_keys.c.end_mails < mails)
    )
    due = select(api_keys.c.id).where(is_due).order_by(api_keys.c.id).limit(limit)
    # The condition is repeated, because PostgreSQL checks it again for rows that another worker took in the meantime.
    taken = update(api_keys).where(api_keys.c.id.in_(due), is_due).values(end_mails=mails).returning(api_keys.c.id)
    ids = (await connection.execute(taken)).scalars().all()
    rows = await connection.execute(records().where(among(api_keys.c.id, ids)).order_by(api_keys.c.id))
    return [from_row(row) for row in rows]
