"""Rows for tests, created through the storage modules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from keybearer import api_key
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.realms import Realm
from keybearer.server.storage import accounts, api_keys, key_ends, realms
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True)
class Holder:
    """An account with its key."""

    realm: Realm
    account: Account
    key: Secret
    key_id: int


async def add_realm(database: Database) -> Realm:
    """An organization."""
    async with database.write() as connection:
        return await realms.add(connection, name="Example", site="https://chat.example.com", created_at=NOON)


async def add_holders(database: Database, ring: SecretRing, count: int = 1) -> list[Holder]:
    """This many accounts with a key each, in one organization."""
    realm = await add_realm(database)
    holders = []
    async with database.write() as connection:
        for number in range(count):
            account = await accounts.add(
                connection,
                realm_id=realm.id,
                email=f"member{number}@example.com",
                full_name=f"Member {number}",
                role=Role.MEMBER,
                date_joined=NOON,
            )
            key = api_key.generate()
            record = await api_keys.add(connection, ring, key, account_id=account.id, created_by=None, at=NOON)
            holders.append(Holder(realm, account, key, record.id))
    return holders


async def add_holder(database: Database, ring: SecretRing) -> Holder:
    """One account with a key."""
    return (await add_holders(database, ring))[0]


async def regenerate(database: Database, ring: SecretRing, holder: Holder) -> Secret:
    """Replace the account's key with a new one."""
    new = api_key.generate()
    async with database.write() as connection:
        await key_ends.revoke_all(connection, holder.account.id, by=None, at=NOON)
        await api_keys.add(connection, ring, new, account_id=holder.account.id, created_by=None, at=NOON)
    return new
