"""The last use of each key. Uses are written in slices; after a key has ended, at most once in a while."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.api_keys import KeyUse
from keybearer.server.storage.dialect import locked
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import api_key_uses


@dataclass(frozen=True, slots=True)
class NewUse:
    """A use of a key that has not been written yet."""

    key_id: int
    use: KeyUse


_used_at = bindparam("used_at", type_=api_key_uses.c.last_used_at.type)
_USED = Prepared(
    update(api_key_uses)
    .where(
        api_key_uses.c.key_id == bindparam("of_id"),
        or_(api_key_uses.c.last_used_at.is_(None), api_key_uses.c.last_used_at < _used_at),
    )
    .values(last_used_at=_used_at, last_used_address=bindparam("address"), last_used_client=bindparam("client"))
)


async def record_uses(connection: AsyncConnection, uses: Iterable[NewUse]) -> None:
    """Write the last uses of keys. An older use never overwrites a newer one from another worker."""
    # In the order of their ids, so that two workers that write at once do not deadlock.
    rows = [
        {"of_id": new.key_id, "used_at": new.use.at, "address": new.use.address, "client": new.use.client}
        for new in sorted(uses, key=lambda new: new.key_id)
    ]
    await _USED.run_each(connection, rows)


async def find_late_use(connection: AsyncConnection, key_id: int) -> datetime | None:
    """When a revoked key was last used. Its row is locked until the transaction ends."""
    statement = locked(select(api_key_uses.c.late_used_at).where(api_key_uses.c.key_id == key_id))
    return (await connection.execute(statement)).scalar_one_or_none()


async def record_late_use(connection: AsyncConnection, new: NewUse, *, at_most_every: timedelta) -> bool:
    """Record a use of a revoked key, unless one was recorded less than `at_most_every` before it.

    Returns whether it was recorded.
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
