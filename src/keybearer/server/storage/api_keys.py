"""API keys as rows. A row holds a keyed digest to find the key and the key's history. For account keys it also holds a
sealed text, so that the key can be shown again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer import api_key as api_key_format
from keybearer.secret import Secret
from keybearer.server.domain.api_keys import APIKeyRecord, KeyUse, RevealedKey, mails_due
from keybearer.server.domain.grants import Grant, Scope
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among, among_given
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.secret_ring import Digest, Sealed, SecretRing
from keybearer.server.storage.tables import accounts, api_key_uses, api_keys

_KEYS = api_keys.join(api_key_uses, api_key_uses.c.key_id == api_keys.c.id)
_KEY_COLUMNS = [column for column in api_keys.c if column.name not in ("digest", "sealed", "secret_id", "end_mails")]
COLUMNS = [*_KEY_COLUMNS, *(column for column in api_key_uses.c if column.name != "key_id")]


def split_networks(text: str) -> tuple[str, ...]:
    """The networks in the column, which are separated by blanks."""
    return tuple(text.split()) if text else ()


def _grant_columns(grant: Grant) -> dict[str, object]:
    return {"scopes": grant.scopes.value, "expires_at": grant.expires_at, "networks": " ".join(grant.networks)}


def is_live_at(now: datetime) -> ColumnElement[bool]:
    """Whether a key is neither revoked nor expired."""
    return api_keys.c.revoked_at.is_(None) & or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now)


_IS_ACCOUNT_KEY = api_keys.c.is_account_key & api_keys.c.revoked_at.is_(None)


def bound_to(account_id: int, digest: bytes) -> bytes:
    """What a sealed key is bound to. In another row it does not open."""
    return b"api_keys:%d:" % account_id + digest


def from_row(row: Row[tuple[object, ...]]) -> APIKeyRecord:
    """The value of a row that has `COLUMNS`."""
    return from_columns(row._mapping)


def from_columns(columns: Mapping[Any, Any]) -> APIKeyRecord:
    """The value of these columns, by their names."""

    def use(prefix: str) -> KeyUse | None:
        at = columns[f"{prefix}_at"]
        return None if at is None else KeyUse(at, columns[f"{prefix}_address"], columns[f"{prefix}_client"])

    of_key = {column.name: columns[column.name] for column in _KEY_COLUMNS}
    of_key |= {"scopes": Scope(columns["scopes"]), "networks": split_networks(columns["networks"])}
    return APIKeyRecord(**of_key, last_use=use("last_used"), late_use=use("late_used"))


def records(*besides: ColumnElement[Any]) -> Select[Any]:
    """A query for keys in the form that `from_row` reads, with further columns."""
    return select(*COLUMNS, *besides).select_from(_KEYS)


_BY_ID = Prepared(records().where(api_keys.c.id == bindparam("key_id")))
_ISSUED = Prepared(
    insert(api_keys).returning(api_keys.c.id),
    columns=[
        column.name for column in api_keys.c if column.name not in ("id", "revoked_at", "revoked_by", "replaced_by")
    ],
)
_SEALED = Prepared(
    records(api_keys.c.digest, api_keys.c.secret_id, api_keys.c.sealed).where(
        among_given(api_keys.c.account_id, "account_ids"), _IS_ACCOUNT_KEY
    )
)
_UNUSED = Prepared(insert(api_key_uses), columns=["key_id"])


async def add(
    connection: AsyncConnection,
    ring: SecretRing,
    key: Secret,
    *,
    account_id: int,
    created_by: int | None,
    created_with: int | None = None,
    at: datetime,
) -> APIKeyRecord:
    """Issue an account key. The account must have no live account key; the database enforces it."""
    digest = ring.digest(key)
    sealed = ring.seal(key, bound_to(account_id, digest.value))
    new = APIKeyRecord(0, account_id, "", at, created_by, created_with=created_with)
    return await _insert(connection, new, Digest(sealed.secret_id, digest.value), sealed=sealed.box)


async def add_named(
    connection: AsyncConnection,
    ring: SecretRing,
    key: Secret,
    *,
    account_id: int,
    name: str,
    grant: Grant,
    created_by: int | None,
    created_with: int | None,
    at: datetime,
) -> APIKeyRecord:
    """Issue a named key. Only its digest is kept. Mails about its end that are already due are not sent."""
    new = APIKeyRecord(
        0,
        account_id,
        name,
        at,
        created_by,
        grant.expires_at,
        is_account_key=False,
        scopes=grant.scopes,
        networks=grant.networks,
        created_with=created_with,
    )
    return await _insert(connection, new, ring.digest(key), end_mails=mails_due(grant.expires_at, at))


async def _insert(
    connection: AsyncConnection, new: APIKeyRecord, digest: Digest, *, sealed: bytes | None = None, end_mails: int = 0
) -> APIKeyRecord:
    (key_id,) = await _ISSUED.values(
        connection,
        account_id=new.account_id,
        name=new.name,
        created_at=new.created_at,
        created_by=new.created_by,
        created_with=new.created_with,
        is_account_key=new.is_account_key,
        secret_id=digest.secret_id,
        digest=digest.value,
        sealed=sealed,
        end_mails=end_mails,
        **_grant_columns(new.grant),
    )
    await _UNUSED.run(connection, key_id=key_id)
    return replace(new, id=key_id)


async def find(connection: AsyncConnection, key_id: int) -> APIKeyRecord | None:
    """A key, live or not, without opening it."""
    columns = await _BY_ID.record(connection, key_id=key_id)
    return None if columns is None else from_columns(columns)


async def find_by_text(connection: AsyncConnection, ring: SecretRing, key: Secret) -> APIKeyRecord | None:
    """The key with this text, live or not."""
    if not api_key_format.is_ours(key.reveal()):
        return None
    known = ring.ids
    found = await _find_by_digests(connection, ring.digests(key))
    if found is None and (ring.refresh() or ring.ids != known):
        # The ring was rotated in the meantime, as in `verification.py`.
        return await _find_by_digests(connection, ring.digests(key))
    return found


async def _find_by_digests(connection: AsyncConnection, digests: Sequence[bytes]) -> APIKeyRecord | None:
    row = (await connection.execute(records().where(api_keys.c.digest.in_(digests)))).first()
    return None if row is None else from_row(row)


async def find_account_key(connection: AsyncConnection, account_id: int) -> APIKeyRecord | None:
    """The account key of an account, without opening it."""
    return (await find_account_keys(connection, [account_id])).get(account_id)


async def find_account_keys(connection: AsyncConnection, account_ids: Iterable[int]) -> dict[int, APIKeyRecord]:
    """The account keys of several accounts, by account, without opening them. Each has the last use of a key that has
    ended.
    """
    is_theirs = among(api_keys.c.account_id, account_ids)
    rows = await connection.execute(records().where(is_theirs, _IS_ACCOUNT_KEY))
    live = {record.account_id: record for record in map(from_row, rows)}
    newest = (
        select(api_keys.c.account_id, func.max(api_key_uses.c.late_used_at).label("at"))
        .select_from(_KEYS)
        .where(is_theirs)
        .group_by(api_keys.c.account_id)
        .subquery()
    )
    used_late = records().join(
        newest, (newest.c.account_id == api_keys.c.account_id) & (newest.c.at == api_key_uses.c.late_used_at)
    )
    late = {record.account_id: record.late_use for record in map(from_row, await connection.execute(used_late))}
    return {each: replace(record, use_of_old_key=late.get(each)) for each, record in live.items()}


async def reveal_account_keys(
    connection: AsyncConnection, ring: SecretRing, account_ids: Iterable[int]
) -> list[RevealedKey]:
    """The account keys of several accounts, opened."""

    def reveal(columns: Mapping[str, Any]) -> RevealedKey:
        bound = bound_to(columns["account_id"], columns["digest"])
        return RevealedKey(from_columns(columns), ring.unseal(Sealed(columns["secret_id"], columns["sealed"]), bound))

    return await paced(reveal, await _SEALED.records(connection, account_ids=sorted(set(account_ids))))


async def find_live(connection: AsyncConnection, account_id: int, now: datetime) -> Sequence[APIKeyRecord]:
    """The account key and the named keys of an account that are neither revoked nor expired, in the order of issue."""
    statement = records().where(api_keys.c.account_id == account_id, is_live_at(now)).order_by(api_keys.c.id)
    return [from_row(row) for row in await connection.execute(statement)]


async def find_all_live(
    connection: AsyncConnection, realm_id: int, now: datetime, *, after: int, limit: int
) -> Sequence[APIKeyRecord]:
    """The live keys of an organization with an id above `after`, in the order of ids, up to a limit."""
    statement = records().join(accounts, accounts.c.id == api_keys.c.account_id)
    statement = statement.where(accounts.c.realm_id == realm_id, is_live_at(now), api_keys.c.id > after)
    return [from_row(row) for row in await connection.execute(statement.order_by(api_keys.c.id).limit(limit))]


async def count_named(connection: AsyncConnection, account_id: int, now: datetime) -> int:
    """How many live named keys an account has. Replaced keys that are still in overlap do not count."""
    statement = select(func.count()).where(
        api_keys.c.account_id == account_id,
        api_keys.c.is_account_key.is_(False),
        api_keys.c.replaced_by.is_(None),
        is_live_at(now),
    )
    return (await connection.execute(statement)).scalar_one()


async def find_history(connection: AsyncConnection, account_ids: Iterable[int]) -> Sequence[APIKeyRecord]:
    """Every key ever issued to these accounts, newest first."""
    rows = await connection.execute(
        records()
        .where(among(api_keys.c.account_id, account_ids))
        .order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
    )
    return [from_row(row) for row in rows]


async def save(connection: AsyncConnection, record: APIKeyRecord) -> None:
    """Write the name, the grant and the successor of a key."""
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.id == record.id)
        .values(name=record.name, replaced_by=record.replaced_by, **_grant_columns(record.grant))
    )


async def replace_digest(connection: AsyncConnection, key_id: int, digest: Digest) -> None:
    """Store a named key's digest under another secret of the ring."""
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.is_account_key.is_(False))
        .values(secret_id=digest.secret_id, digest=digest.value)
    )
