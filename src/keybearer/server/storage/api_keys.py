"""API keys as rows: a keyed digest to find one, a sealed text to show it again, and its history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.secret import Secret
from keybearer.server.domain.api_keys import APIKeyRecord, KeyUse, RevealedKey
from keybearer.server.storage.dialect import among, locked
from keybearer.server.storage.secret_ring import Sealed, SecretRing
from keybearer.server.storage.tables import api_key_uses, api_keys

_KEYS = api_keys.join(api_key_uses, api_key_uses.c.key_id == api_keys.c.id)
_KEY_COLUMNS = [column for column in api_keys.c if column.name not in ("digest", "sealed", "secret_id")]
_COLUMNS = [*_KEY_COLUMNS, *(column for column in api_key_uses.c if column.name != "key_id")]


@dataclass(frozen=True, slots=True)
class NewUse:
    """A use of a key that is still to be written down."""

    key_id: int
    use: KeyUse


def bound_to(account_id: int, digest: bytes) -> bytes:
    """What a sealed key is bound to: moved into another row, it does not open."""
    return b"api_keys:%d:" % account_id + digest


def from_row(row: Row[tuple[object, ...]]) -> APIKeyRecord:
    """The value of a row that has `_COLUMNS`."""
    columns = row._mapping

    def use(prefix: str) -> KeyUse | None:
        at = columns[f"{prefix}_at"]
        return None if at is None else KeyUse(at, columns[f"{prefix}_address"], columns[f"{prefix}_client"])

    of_key = {column.name: columns[column.name] for column in _KEY_COLUMNS}
    return APIKeyRecord(**of_key, last_use=use("last_used"), late_use=use("late_used"))


def _records(*besides: ColumnElement[Any]) -> Select[Any]:
    return select(*_COLUMNS, *besides).select_from(_KEYS)


async def add(
    connection: AsyncConnection, ring: SecretRing, key: Secret, *, account_id: int, created_by: int | None, at: datetime
) -> APIKeyRecord:
    """Issue a key. The account must have no live key: the database insists."""
    digest = ring.digest(key)
    sealed = ring.seal(key, bound_to(account_id, digest.value))
    row = await connection.execute(
        insert(api_keys)
        .values(
            account_id=account_id,
            created_at=at,
            created_by=created_by,
            secret_id=sealed.secret_id,
            digest=digest.value,
            sealed=sealed.box,
        )
        .returning(api_keys.c.id)
    )
    key_id: int = row.scalar_one()
    await connection.execute(insert(api_key_uses).values(key_id=key_id))
    return APIKeyRecord(key_id, account_id, "", at, created_by)


async def find_live(connection: AsyncConnection, account_id: int) -> APIKeyRecord | None:
    """The live key of an account, unopened."""
    return (await find_live_of(connection, [account_id])).get(account_id)


async def find_live_of(connection: AsyncConnection, account_ids: Iterable[int]) -> dict[int, APIKeyRecord]:
    """The live keys of several accounts, unopened, by account; each with the last use of an earlier key."""
    is_theirs = among(api_keys.c.account_id, account_ids)
    rows = await connection.execute(_records().where(is_theirs, api_keys.c.revoked_at.is_(None)))
    live = {record.account_id: record for record in map(from_row, rows)}
    used_late = _records().where(is_theirs, api_key_uses.c.late_used_at.is_not(None))
    late = {
        record.account_id: record.late_use
        for record in map(from_row, await connection.execute(used_late.order_by(api_key_uses.c.late_used_at)))
    }
    return {each: replace(record, use_of_old_key=late.get(each)) for each, record in live.items()}


async def reveal_live(connection: AsyncConnection, ring: SecretRing, account_ids: Iterable[int]) -> list[RevealedKey]:
    """The live keys of several accounts, opened."""
    rows = await connection.execute(
        _records(api_keys.c.digest, api_keys.c.secret_id, api_keys.c.sealed).where(
            among(api_keys.c.account_id, account_ids), api_keys.c.revoked_at.is_(None)
        )
    )
    return [
        RevealedKey(
            from_row(row),
            ring.unseal(Sealed(row.secret_id, row.sealed), bound_to(row.account_id, row.digest)),
        )
        for row in rows
    ]


async def find_history(connection: AsyncConnection, account_ids: Iterable[int]) -> Sequence[APIKeyRecord]:
    """Every key ever issued to these accounts, the newest first."""
    rows = await connection.execute(
        _records()
        .where(among(api_keys.c.account_id, account_ids))
        .order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
    )
    return [from_row(row) for row in rows]


async def revoke_live(connection: AsyncConnection, account_id: int, *, by: int | None, at: datetime) -> int | None:
    """Revoke the live key and erase its sealed text; its digest stays, so that it is still recognised.

    Returns the id of the key that was revoked, None where there was none.
    """
    result = await connection.execute(
        update(api_keys)
        .where(api_keys.c.account_id == account_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=at, revoked_by=by, sealed=None)
        .returning(api_keys.c.id)
    )
    revoked: int | None = result.scalar_one_or_none()
    return revoked


async def record_uses(connection: AsyncConnection, uses: Iterable[NewUse]) -> None:
    """Write down the last uses of keys; an older use never overwrites a newer one from another worker."""
    # In the order of their ids, so that two workers that write at once wait for each other and not in a circle.
    rows = [
        {"of_id": new.key_id, "used_at": new.use.at, "address": new.use.address, "client": new.use.client}
        for new in sorted(uses, key=lambda new: new.key_id)
    ]
    if not rows:
        return
    used_at = bindparam("used_at", type_=api_key_uses.c.last_used_at.type)
    await connection.execute(
        update(api_key_uses)
        .where(
            api_key_uses.c.key_id == bindparam("of_id"),
            or_(api_key_uses.c.last_used_at.is_(None), api_key_uses.c.last_used_at < used_at),
        )
        .values(last_used_at=used_at, last_used_address=bindparam("address"), last_used_client=bindparam("client")),
        rows,
    )


async def find_late_use(connection: AsyncConnection, key_id: int) -> datetime | None:
    """When a revoked key was last used; its row is held until the transaction ends."""
    statement = locked(select(api_key_uses.c.late_used_at).where(api_key_uses.c.key_id == key_id))
    return (await connection.execute(statement)).scalar_one_or_none()


async def record_late_use(connection: AsyncConnection, new: NewUse, *, at_most_every: timedelta) -> bool:
    """Write down a use of a revoked key, unless one was written less than `at_most_every` before it.

    Returns whether it was written.
    """
    late_used_at = api_key_uses.c.late_used_at
    result = await connection.execute(
        update(api_key_uses)
        .where(
            api_key_uses.c.key_id == new.key_id,
            or_(late_used_at.is_(None), late_used_at <= new.use.at - at_most_every),
        )
        .values(late_used_at=new.use.at, late_used_address=new.use.address, late_used_client=new.use.client)
        .returning(api_key_uses.c.key_id)
    )
    return result.first() is not None
