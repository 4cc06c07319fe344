"""Push registrations as rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Row, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.devices import Device, DeviceKind
from keybearer.server.storage.dialect import among, upsert
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import devices

COLUMNS = [column for column in devices.c if column.name != "token_digest"]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def from_row(row: Row[tuple[object, ...]]) -> Device:
    """The value of a row that has `COLUMNS`."""
    columns = row._mapping
    return Device(**{**columns, "kind": DeviceKind(columns["kind"])})


async def put(
    connection: AsyncConnection, *, account_id: int, kind: DeviceKind, token: str, app_id: str, at: datetime
) -> int:
    """Register a device, or renew its registration. Returns its id."""
    await upsert(
        connection,
        devices,
        {
            "account_id": account_id,
            "kind": kind.value,
            "token": token,
            "token_digest": _digest(token),
            "app_id": app_id,
            "registered_at": at,
        },
        key=["account_id", "kind", "token_digest"],
    )
    found = await connection.execute(
        select(devices.c.id).where(
            devices.c.account_id == account_id, devices.c.kind == kind.value, devices.c.token_digest == _digest(token)
        )
    )
    device_id: int = found.scalar_one()
    return device_id


async def count_others(connection: AsyncConnection, account_id: int, *, kind: DeviceKind, token: str) -> int:
    """How many devices an account has, not counting the one with this token."""
    is_this = (devices.c.kind == kind.value) & (devices.c.token_digest == _digest(token))
    counted = await connection.execute(select(func.count()).where(devices.c.account_id == account_id, ~is_this))
    return counted.scalar_one()


async def find_all(connection: AsyncConnection, account_id: int) -> Sequence[Device]:
    """The devices of an account, newest first."""
    rows = await connection.execute(
        select(*COLUMNS)
        .where(devices.c.account_id == account_id)
        .order_by(devices.c.registered_at.desc(), devices.c.id.desc())
    )
    return [from_row(row) for row in rows]


async def remove(connection: AsyncConnection, account_id: int, *, kind: DeviceKind, token: str) -> bool:
    """Remove one registration. False if the account has no such registration."""
    result = await connection.execute(
        delete(devices)
        .where(
            devices.c.account_id == account_id,
            devices.c.kind == kind.value,
            devices.c.token_digest == _digest(token),
        )
        .returning(devices.c.id)
    )
    return result.first() is not None


async def remove_by_id(
    connection: AsyncConnection, account_id: int, device_id: int, *, kind: DeviceKind | None = None
) -> bool:
    """Remove one registration by its id. False if the account has none with this id and of this kind."""
    statement = delete(devices).where(devices.c.id == device_id, devices.c.account_id == account_id)
    if kind is not None:
        statement = statement.where(devices.c.kind == kind.value)
    return (await connection.execute(statement.returning(devices.c.id))).first() is not None


_REMOVED = Prepared(delete(devices).where(devices.c.account_id == bindparam("of_account_id")).returning(devices.c.id))


async def remove_all(connection: AsyncConnection, account_id: int) -> int:
    """Remove all registrations of an account. Returns how many."""
    return len(await _REMOVED.rows(connection, of_account_id=account_id))


async def remove_all_of(connection: AsyncConnection, account_ids: Iterable[int]) -> None:
    """Remove all registrations of several accounts."""
    await connection.execute(delete(devices).where(among(devices.c.account_id, account_ids)))
