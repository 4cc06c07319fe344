"""One-time links as rows. A row holds the digest of the link's token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, Role, email_key
from keybearer.server.domain.links import DEFAULT_CHANNELS, INVITATIONS, LIFETIMES, Joins, Link, LinkPurpose
from keybearer.server.domain.paging import Page, Position
from keybearer.server.storage.dialect import among, delete_some, has_text
from keybearer.server.storage.paging import Order, find_page
from keybearer.server.storage.tables import links

COLUMNS = [column for column in links.c if column.name != "digest"]


def _digest(token: Secret) -> bytes:
    return hashlib.sha256(token.reveal().encode()).digest()


def from_row(row: Row[tuple[object, ...]]) -> Link:
    """The value of a row that has `COLUMNS`."""
    columns = dict(row._mapping)
    role, channel_ids = columns["role"], columns.pop("channel_ids")
    columns |= {
        "purpose": LinkPurpose(columns["purpose"]),
        "role": None if role is None else Role(role),
        "joins": Joins(tuple(json.loads(channel_ids or "[]")), bool(columns.pop("with_default_channels"))),
    }
    return Link(**columns)


def _joins_columns(joins: Joins) -> Mapping[str, object]:
    return {
        "channel_ids": json.dumps(joins.channel_ids) if joins.channel_ids else None,
        "with_default_channels": joins.with_defaults,
    }


async def add(
    connection: AsyncConnection,
    token: Secret,
    purpose: LinkPurpose,
    *,
    at: datetime,
    realm_id: int | None = None,
    account_id: int | None = None,
    email: str = "",
    role: Role | None = None,
    created_by: int | None = None,
    lifetime: timedelta | None = None,
    joins: Joins = DEFAULT_CHANNELS,
    made_by_link: int | None = None,
    created_with: int | None = None,
) -> Link:
    """Create a link that lives as long as its purpose allows, or as `lifetime` says."""
    row = await connection.execute(
        insert(links)
        .values(
            digest=_digest(token),
            purpose=purpose.value,
            realm_id=realm_id,
            account_id=account_id,
            email=email,
            role=role,
            created_by=created_by,
            created_at=at,
            expires_at=at + (lifetime or LIFETIMES[purpose]),
            made_by_link=made_by_link,
            created_with=created_with,
            **_joins_columns(joins),
        )
        .returning(*COLUMNS)
    )
    return from_row(row.one())


async def add_all(
    connection: AsyncConnection,
    tokens: Mapping[str, Secret],
    purpose: LinkPurpose,
    *,
    at: datetime,
    realm_id: int,
    role: Role,
    created_by: int,
    lifetime: timedelta,
    joins: Joins = DEFAULT_CHANNELS,
    made_by_link: int | None = None,
    created_with: int | None = None,
) -> Sequence[Link]:
    """Create a link for each of these addresses, in one statement. Their order is not that of the addresses."""
    shared = {
        "purpose": purpose.value,
        "realm_id": realm_id,
        "role": role,
        "created_by": created_by,
        "created_at": at,
        "expires_at": at + lifetime,
        "made_by_link": made_by_link,
        "created_with": created_with,
        **_joins_columns(joins),
    }
    rows = [{"digest": _digest(token), "email": email, **shared} for email, token in tokens.items()]
    return [from_row(row) for row in await connection.execute(insert(links).returning(*COLUMNS), rows)]


async def count(
    connection: AsyncConnection, purpose: LinkPurpose, *, now: datetime, created_by: int | None = None
) -> int:
    """How many links with a purpose are open: all of them, or those that one account created."""
    statement = select(func.count()).where(links.c.purpose == purpose.value, links.c.expires_at > now)
    if created_by is not None:
        statement = statement.where(links.c.created_by == created_by)
    return (await connection.execute(statement)).scalar_one()


def _is_good(token: Secret, purpose: LinkPurpose, now: datetime) -> ColumnElement[bool]:
    return and_(links.c.digest == _digest(token), links.c.purpose == purpose.value, links.c.expires_at > now)


def _is_for(purposes: Iterable[LinkPurpose]) -> ColumnElement[bool]:
    return links.c.purpose.in_([purpose.value for purpose in purposes])


async def find(connection: AsyncConnection, token: Secret, purpose: LinkPurpose, now: datetime) -> Link | None:
    """The link with this token, if it has that purpose, is unused and has not expired."""
    row = (await connection.execute(select(*COLUMNS).where(_is_good(token, purpose, now)))).first()
    return None if row is None else from_row(row)


async def use(connection: AsyncConnection, token: Secret, purpose: LinkPurpose, now: datetime) -> Link | None:
    """The same link, used up. If several transactions use one link, only one gets it."""
    row = (await connection.execute(delete(links).where(_is_good(token, purpose, now)).returning(*COLUMNS))).first()
    return None if row is None else from_row(row)


async def find_all(connection: AsyncConnection, purposes: Iterable[LinkPurpose], now: datetime) -> Sequence[Link]:
    """All open links with these purposes, newest first."""
    rows = await connection.execute(
        select(*COLUMNS)
        .where(_is_for(purposes), links.c.expires_at > now)
        .order_by(links.c.created_at.desc(), links.c.id.desc())
    )
    return [from_row(row) for row in rows]


async def find_invitations(
    connection: AsyncConnection,
    viewer: Account,
    roles_of_others: Collection[Role],
    now: datetime,
    *,
    text: str,
    position: Position,
) -> Page[Link]:
    """A page of the open invitations that an account sent, or that others sent for one of these roles, to addresses
    that contain a text. Newest first.
    """
    is_managed = or_(links.c.created_by == viewer.id, links.c.role.in_([role.value for role in roles_of_others]))
    statement = select(*COLUMNS).where(
        links.c.realm_id == viewer.realm_id, _is_for(INVITATIONS), links.c.expires_at > now, is_managed
    )
    if text:
        statement = statement.where(has_text(links.c.email, text))
    return await find_page(connection, statement, Order(links.c.id, descending=True), position, from_row)


async def find_by_id(
    connection: AsyncConnection, link_id: int, purposes: Iterable[LinkPurpose], now: datetime
) -> Link | None:
    """The open link with that id, if it has one of these purposes."""
    row = (
        await connection.execute(
            select(*COLUMNS).where(links.c.id == link_id, _is_for(purposes), links.c.expires_at > now)
        )
    ).first()
    return None if row is None else from_row(row)


async def renew(connection: AsyncConnection, link: Link, token: Secret, *, at: datetime) -> Link | None:
    """Give a link another token and, from `at` on, its original lifetime again. The earlier token stops working.

    None if the link has been used or withdrawn in the meantime.
    """
    row = (
        await connection.execute(
            update(links)
            .where(links.c.id == link.id)
            .values(digest=_digest(token), created_at=at, expires_at=at + (link.expires_at - link.created_at))
            .returning(*COLUMNS)
        )
    ).first()
    return None if row is None else from_row(row)


def token_of(link: Link, key: bytes) -> Secret:
    """The token of a multi-use invitation. The holder of this key can derive it again.

    It includes the time, so that it differs if an id is given a second time, as after a restored backup.
    """
    place = f"{link.purpose} {link.id} {link.created_at.isoformat()}"
    return Secret(base64.urlsafe_b64encode(hmac.digest(key, place.encode(), "sha256")).rstrip(b"=").decode())


async def set_token(connection: AsyncConnection, link_id: int, token: Secret) -> None:
    """Give a link another token. The earlier one stops working."""
    await connection.execute(update(links).where(links.c.id == link_id).values(digest=_digest(token)))


async def find_ids(connection: AsyncConnection, tokens: Collection[Secret]) -> Mapping[int, Secret]:
    """Which of these texts are tokens of links: the ids of the links, with their tokens."""
    by_digest = {_digest(token): token for token in tokens}
    rows = await connection.execute(select(links.c.id, links.c.digest).where(links.c.digest.in_(by_digest)))
    return {row.id: by_digest[bytes(row.digest)] for row in rows}


async def change(connection: AsyncConnection, link: Link, *, role: Role, joins: Joins) -> None:
    """Change the role and the channels of people who join by this link from now on."""
    await connection.execute(update(links).where(links.c.id == link.id).values(role=role, **_joins_columns(joins)))


async def remove_all_for(connection: AsyncConnection, purpose: LinkPurpose, *, realm_id: int, email: str) -> None:
    """Withdraw the links with a purpose for an address, in any case."""
    found = await connection.execute(
        select(links.c.id, links.c.email).where(links.c.purpose == purpose.value, links.c.realm_id == realm_id)
    )
    ids = [row.id for row in found if email_key(row.email) == email_key(email)]
    await connection.execute(delete(links).where(among(links.c.id, ids)))


async def remove(connection: AsyncConnection, link_id: int) -> bool:
    """Withdraw a link, and the links that were requested with it. False if it has been used or withdrawn in the
    meantime.
    """
    await connection.execute(delete(links).where(links.c.made_by_link == link_id))
    return (
        await connection.execute(delete(links).where(links.c.id == link_id).returning(links.c.id))
    ).first() is not None


async def find_accounts_of(connection: AsyncConnection, emails: Iterable[str]) -> dict[str, int]:
    """The ids of the accounts that have a link about one of these addresses, by `email_key`."""
    rows = await connection.execute(
        select(links.c.email, links.c.account_id).where(links.c.account_id.is_not(None), among(links.c.email, emails))
    )
    return {email_key(row.email): row.account_id for row in rows}


async def remove_all(
    connection: AsyncConnection, purpose: LinkPurpose, *, account_id: int | None = None, created_by: int | None = None
) -> None:
    """Withdraw the links with a purpose: all of them, those for one account, or those that one account created."""
    statement = delete(links).where(links.c.purpose == purpose.value)
    if account_id is not None:
        statement = statement.where(links.c.account_id == account_id)
    if created_by is not None:
        statement = statement.where(links.c.created_by == created_by)
    await connection.execute(statement)


async def remove_expired(connection: AsyncConnection, now: datetime, *, limit: int) -> int:
    """Delete expired links, up to a limit. Returns how many."""
    return await delete_some(connection, links, links.c.expires_at <= now, limit=limit)
