"""API keys as rows: how their uses are recorded."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from keybearer.server.domain.api_keys import KeyUse
from keybearer.server.storage import api_keys, key_ends, key_uses
from keybearer.server.storage.engine import Database
from keybearer.server.storage.key_uses import NewUse
from keybearer.server.storage.secret_ring import SecretRing
from tests.storage.rows import NOON, Holder, add_holders, regenerate

LATER = NOON + timedelta(minutes=1)


def use(holder: Holder, at: datetime, client: str = "curl") -> NewUse:
    return NewUse(holder.key_id, KeyUse(at, "192.0.2.1", client))


async def last_uses(database: Database, holders: list[Holder]) -> list[KeyUse | None]:
    async with database.read() as connection:
        records = await api_keys.find_account_keys(connection, [holder.account.id for holder in holders])
    return [records[holder.account.id].last_use for holder in holders]


async def test_the_uses_of_many_keys_are_written_at_once(database: Database, ring: SecretRing) -> None:
    holders = await add_holders(database, ring, 3)
    async with database.write() as connection:
        await key_uses.record_uses(connection, [])
        await key_uses.record_uses(connection, [use(holders[2], NOON), use(holders[0], LATER, "zulip-js")])
    assert await last_uses(database, holders) == [
        KeyUse(LATER, "192.0.2.1", "zulip-js"),
        None,
        KeyUse(NOON, "192.0.2.1", "curl"),
    ]


async def test_an_older_use_does_not_overwrite_a_newer_one(database: Database, ring: SecretRing) -> None:
    holders = await add_holders(database, ring)
    async with database.write() as connection:
        await key_uses.record_uses(connection, [use(holders[0], LATER)])
        await key_uses.record_uses(connection, [use(holders[0], NOON)])
    assert await last_uses(database, holders) == [KeyUse(LATER, "192.0.2.1", "curl")]


async def test_workers_that_write_the_same_keys_at_once_do_not_deadlock(database: Database, ring: SecretRing) -> None:
    holders = await add_holders(database, ring, 40)

    async def write(order: list[Holder], at: datetime) -> None:
        async with database.write() as connection:
            await key_uses.record_uses(connection, [use(holder, at) for holder in order])

    for _ in range(5):
        await asyncio.gather(write(holders, NOON), write(holders[::-1], LATER))
    assert {found.at for found in await last_uses(database, holders) if found} == {LATER}


async def test_the_use_of_a_key_is_written_while_the_key_is_being_revoked(
    postgresql_url: str, ring: SecretRing
) -> None:
    database = await Database.open(postgresql_url)
    (holder,) = await add_holders(database, ring)
    async with database.write() as revoking:
        await key_ends.revoke_all(revoking, holder.account.id, by=None, at=NOON)

        async def write() -> None:
            async with database.write() as connection:
                await key_uses.record_uses(connection, [use(holder, LATER)])
                assert await key_uses.record_late_use(connection, use(holder, LATER), at_most_every=timedelta())

        await asyncio.wait_for(asyncio.create_task(write()), 30)
    async with database.read() as connection:
        (record,) = await api_keys.find_history(connection, [holder.account.id])
    assert record.revoked_at == NOON
    assert record.last_use == record.late_use == KeyUse(LATER, "192.0.2.1", "curl")
    await database.close()


async def test_a_late_use_is_written_once_in_a_while(database: Database, ring: SecretRing) -> None:
    (holder,) = await add_holders(database, ring)
    await regenerate(database, ring, holder)
    hour = timedelta(hours=1)
    async with database.write() as connection:
        written = [
            await key_uses.record_late_use(connection, use(holder, at), at_most_every=hour)
            for at in (NOON, LATER, NOON + hour)
        ]
    assert written == [True, False, True]
