"""Rotating the secrets: everything that is sealed is sealed anew, and no key is invalidated.

The new ring is saved first, then the rows are written in one transaction. A crash in between leaves rows under a
retired secret, which opens them as before; rotating again finishes the work. Servers that run meanwhile notice the
new file when they meet a row that they cannot open or find.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import SecretRingError
from keybearer.server.storage import api_keys, bots, mails
from keybearer.server.storage.dialect import locked
from keybearer.server.storage.secret_ring import Sealed, SecretRing
from keybearer.server.storage.tables import api_keys as api_keys_table
from keybearer.server.storage.tables import bot_services
from keybearer.server.storage.tables import mails as mails_table


@dataclass(frozen=True, slots=True)
class Resealed:
    """How much was sealed anew."""

    api_keys: int
    tokens: int


async def reseal(connection: AsyncConnection, ring: SecretRing) -> Resealed:
    """Seal and digest every live key, and seal every token and waiting mail, under the ring's current secret.

    The ring must be saved before: a row that names a secret which is in no file cannot be opened. Revoked keys keep
    their old digest, for nobody has their text any more. Raises SecretRingError where a row does not open.
    """
    resealed = Resealed(await _reseal_keys(connection, ring), await _reseal_tokens(connection, ring))
    await _reseal_mails(connection, ring)
    return resealed


async def _reseal_keys(connection: AsyncConnection, ring: SecretRing) -> int:
    table = api_keys_table
    await api_keys.hold_live(connection)
    rows = (await connection.execute(select(table).where(table.c.revoked_at.is_(None)))).all()
    changes = []
    for row in rows:
        key = ring.unseal(Sealed(row.secret_id, row.sealed), api_keys.bound_to(row.account_id, row.digest))
        digest = ring.digest(key)
        sealed = ring.seal(key, api_keys.bound_to(row.account_id, digest.value))
        changes.append({"of_id": row.id, "secret_id": sealed.secret_id, "digest": digest.value, "sealed": sealed.box})
    if changes:
        await connection.execute(update(table).where(table.c.id == bindparam("of_id")), changes)
    return len(changes)


async def _reseal_tokens(connection: AsyncConnection, ring: SecretRing) -> int:
    rows = (await connection.execute(locked(select(bot_services)))).all()
    changes = []
    for row in rows:
        place = bots.bound_to(row.account_id)
        sealed = ring.seal(ring.unseal(Sealed(row.secret_id, row.sealed_token), place), place)
        changes.append({"of_id": row.account_id, "secret_id": sealed.secret_id, "sealed_token": sealed.box})
    if changes:
        await connection.execute(update(bot_services).where(bot_services.c.account_id == bindparam("of_id")), changes)
    return len(changes)


async def _reseal_mails(connection: AsyncConnection, ring: SecretRing) -> None:
    table = mails_table
    changes = []
    waiting = select(table).where(table.c.secret_id.is_not(None), table.c.is_given_up.is_(False)).order_by(table.c.id)
    for row in await connection.execute(locked(waiting)):
        place = mails.bound_to(row.recipient)
        sealed = ring.seal(ring.unseal(Sealed(row.secret_id, row.sealed_body), place), place)
        changes.append({"of_id": row.id, "secret_id": sealed.secret_id, "sealed_body": sealed.box})
    if changes:
        await connection.execute(update(table).where(table.c.id == bindparam("of_id")), changes)


async def check(connection: AsyncConnection, ring: SecretRing) -> None:
    """Raise SecretRingError unless the ring has every secret that a live key or a token is sealed under."""
    live = select(api_keys_table.c.secret_id).where(api_keys_table.c.revoked_at.is_(None))
    rows = await connection.execute(union(live, select(bot_services.c.secret_id)))
    missing = set(rows.scalars()) - set(ring.ids)
    if missing:
        raise SecretRingError(
            f"The secrets file {ring.path} is not the one that this database was written with: it lacks "
            + ", ".join(sorted(missing)),
            hint="Put the right secrets file back in its place.",
        )
