"""Rotates the secrets: everything that is sealed is sealed again, and no key is invalidated.

A named key is stored as a digest only. It keeps its digest, and gets one under the new secret when it is next used.

The new ring is saved first. Then the rows are written, some accounts in each transaction. A crash in between leaves
rows under a retired secret, which still opens them; rotating again finishes the work. Running servers notice the new
file when they read a row that they cannot open or find.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.errors import SecretRingError
from keybearer.server.storage import api_keys, bots, mails
from keybearer.server.storage.dialect import among, insert_missing
from keybearer.server.storage.secret_ring import Sealed, SecretRing
from keybearer.server.storage.tables import api_keys as api_keys_table
from keybearer.server.storage.tables import bot_services, known_secrets
from keybearer.server.storage.tables import mails as mails_table


@dataclass(frozen=True, slots=True)
class Resealed:
    """How much was sealed again."""

    api_keys: int
    tokens: int


async def reseal(connection: AsyncConnection, ring: SecretRing, account_ids: Collection[int]) -> Resealed:
    """Seal and digest the account keys of these accounts, and seal their tokens, with the ring's current secret.

    The transaction locks the accounts, so that no key is revoked and no token is changed in the meantime. The ring must
    be saved first: a row whose secret is in no file cannot be opened. Revoked keys keep their old digest, because
    nobody has their text any more. Raises SecretRingError if a row does not open.
    """
    return Resealed(
        await _reseal_keys(connection, ring, account_ids), await _reseal_tokens(connection, ring, account_ids)
    )


async def _reseal_keys(connection: AsyncConnection, ring: SecretRing, account_ids: Collection[int]) -> int:
    table = api_keys_table
    is_live = table.c.revoked_at.is_(None) & table.c.is_account_key & among(table.c.account_id, account_ids)
    rows = (await connection.execute(select(table).where(is_live).order_by(table.c.id))).all()
    changes = []
    for row in rows:
        key = ring.unseal(Sealed(row.secret_id, row.sealed), api_keys.bound_to(row.account_id, row.digest))
        digest = ring.digest(key)
        sealed = ring.seal(key, api_keys.bound_to(row.account_id, digest.value))
        changes.append({"of_id": row.id, "secret_id": sealed.secret_id, "digest": digest.value, "sealed": sealed.box})
    if changes:
        # A key that was revoked in the meantime stays erased.
        await connection.execute(update(table).where(table.c.id == bindparam("of_id"), is_live), changes)
    return len(changes)


async def _reseal_tokens(connection: AsyncConnection, ring: SecretRing, account_ids: Collection[int]) -> int:
    rows = (await connection.execute(select(bot_services).where(among(bot_services.c.account_id, account_ids)))).all()
    changes = []
    for row in rows:
        place = bots.bound_to(row.account_id)
        sealed = ring.seal(ring.unseal(Sealed(row.secret_id, row.sealed_token), place), place)
        changes.append({"of_id": row.account_id, "secret_id": sealed.secret_id, "sealed_token": sealed.box})
    if changes:
        await connection.execute(update(bot_services).where(bot_services.c.account_id == bindparam("of_id")), changes)
    return len(changes)


async def reseal_mails(connection: AsyncConnection, ring: SecretRing, *, limit: int) -> int:
    """Seal some of the waiting mails with the ring's current secret, up to a limit. Returns how many."""
    table = mails_table
    changes = []
    is_older = table.c.secret_id.is_not(None) & (table.c.secret_id != ring.current_id)
    waiting = select(table).where(is_older, table.c.is_given_up.is_(False)).order_by(table.c.id).limit(limit)
    for row in await connection.execute(waiting):
        place = mails.bound_to(row.recipient)
        sealed = ring.seal(ring.unseal(Sealed(row.secret_id, row.sealed_body), place), place)
        changes.append({"of_id": row.id, "secret_id": sealed.secret_id, "sealed_body": sealed.box})
    if changes:
        await connection.execute(update(table).where(table.c.id == bindparam("of_id")), changes)
    return len(changes)


async def check(connection: AsyncConnection, ring: SecretRing) -> None:
    """Raise SecretRingError unless the ring has every secret that the database was written with.

    For each secret with which a live key, a token or a waiting mail is sealed, one of them is opened. Retired secrets
    that only have digests left are compared with their stored fingerprints.
    """
    fingerprints = ring.fingerprints()
    for row in await connection.execute(select(known_secrets)):
        if fingerprints.get(row.id, row.fingerprint) != row.fingerprint:
            raise _wrong_ring(ring, f"its secret {row.id} is not the same as before")
    samples = [sample for find in (_sample_mails, _sample_tokens, _sample_keys) for sample in await find(connection)]
    named = {sealed.secret_id for sealed, _ in samples} | await _secrets_of_digests(connection)
    missing = named - set(ring.ids)
    if missing:
        raise _wrong_ring(ring, f"it lacks {', '.join(sorted(missing))}")
    for sealed, bound_to in {sealed.secret_id: (sealed, bound_to) for sealed, bound_to in samples}.values():
        try:
            ring.unseal(sealed, bound_to)
        except SecretRingError:
            raise _wrong_ring(ring, f"its secret {sealed.secret_id} does not open what was sealed with it") from None


async def _secrets_of_digests(connection: AsyncConnection) -> set[str]:
    """The secrets under which live named keys are stored. Nothing about those can be opened."""
    table = api_keys_table
    rows = await connection.execute(
        select(table.c.secret_id).where(table.c.revoked_at.is_(None), table.c.is_account_key.is_(False)).distinct()
    )
    return set(rows.scalars())


async def remember(connection: AsyncConnection, ring: SecretRing) -> None:
    """Store the fingerprint of each secret of the ring, which distinguishes it from others with the same id. The ring
    has been checked.
    """
    rows = [{"id": of, "fingerprint": value} for of, value in ring.fingerprints().items()]
    await insert_missing(connection, known_secrets, rows, key=["id"])


def _wrong_ring(ring: SecretRing, why: str) -> SecretRingError:
    return SecretRingError(
        f"The secrets file {ring.path} is not the one that this database was written with: {why}",
        hint="Put the right secrets file back in its place.",
    )


Sample = tuple[Sealed, bytes]
"""A sealed value, and what it is bound to."""


async def _sample_keys(connection: AsyncConnection) -> list[Sample]:
    table = api_keys_table
    first = select(func.min(table.c.id)).where(table.c.sealed.is_not(None)).group_by(table.c.secret_id)
    rows = await connection.execute(select(table).where(table.c.id.in_(first)))
    return [(Sealed(row.secret_id, row.sealed), api_keys.bound_to(row.account_id, row.digest)) for row in rows]


async def _sample_tokens(connection: AsyncConnection) -> list[Sample]:
    table = bot_services
    first = select(func.min(table.c.account_id)).group_by(table.c.secret_id)
    rows = await connection.execute(select(table).where(table.c.account_id.in_(first)))
    return [(Sealed(row.secret_id, row.sealed_token), bots.bound_to(row.account_id)) for row in rows]


async def _sample_mails(connection: AsyncConnection) -> list[Sample]:
    table = mails_table
    first = select(func.min(table.c.id)).where(table.c.secret_id.is_not(None), table.c.is_given_up.is_(False))
    rows = await connection.execute(select(table).where(table.c.id.in_(first.group_by(table.c.secret_id))))
    return [(Sealed(row.secret_id, row.sealed_body), mails.bound_to(row.recipient)) for row in rows]
