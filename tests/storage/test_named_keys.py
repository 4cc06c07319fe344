"""Named keys as rows: they survive older schemas and rotations, and a backup does not bring back revoked ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, text
from sqlalchemy.exc import IntegrityError

from keybearer import api_key
from keybearer.secret import Secret
from keybearer.server.domain.grants import ALL_SCOPES, FULL, Grant, Scope
from keybearer.server.storage import api_keys, backup, key_ends
from keybearer.server.storage.direct import DirectConnection
from keybearer.server.storage.driver import driver_for
from keybearer.server.storage.engine import Database
from keybearer.server.storage.restoration import restore
from keybearer.server.storage.schema import migrate
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.tables import api_keys as api_keys_table
from keybearer.server.storage.verification import KeyVerifier
from tests.storage.rows import NOON, Holder, add_holder
from tests.storage.test_migrations import upgrade_to
from tests.storage.test_rotation import rotate

OLD_ROWS = [
    """INSERT INTO realms (id, name, site, can_create_bots, can_create_write_only_bots, can_invite, created_at)
       VALUES (1, 'A', 'https://a.example.com', 3, 3, 3, 0)""",
    """INSERT INTO accounts (id, realm_id, delivery_email, email_key, full_name, role, date_joined)
       VALUES (1, 1, 'a@example.com', 'a@example.com', 'A', 400, 0)""",
    """INSERT INTO api_keys (id, account_id, created_at, revoked_at, secret_id, digest)
       VALUES (5, 1, 1, 2, 's', 'one')""",
]
LIVE_ROW = "INSERT INTO api_keys (id, account_id, created_at, secret_id, digest) VALUES (7, 1, 2, :secret, :digest)"
NETWORKS = ("198.51.100.0/24",)


async def add_named(database: Database, ring: SecretRing, holder: Holder, grant: Grant = FULL) -> tuple[Secret, int]:
    key = api_key.generate()
    async with database.write() as connection:
        record = await api_keys.add_named(
            connection,
            ring,
            key,
            account_id=holder.account.id,
            name="script",
            grant=grant,
            created_by=None,
            created_with=None,
            at=NOON,
        )
    return key, record.id


async def test_the_keys_of_an_older_database_are_account_keys_with_all_scopes(
    empty_database_url: str, ring: SecretRing
) -> None:
    key = api_key.generate()
    digest = ring.digest(key)
    engine = driver_for(empty_database_url).migrator()
    async with engine.begin() as connection:
        await connection.run_sync(upgrade_to, "0008")
        for statement in OLD_ROWS:
            await connection.execute(text(statement))
        await connection.execute(
            text(LIVE_ROW),
            {"secret": digest.secret_id, "digest": digest.value},
        )
        await connection.execute(text("INSERT INTO api_key_uses (key_id) VALUES (5), (7)"))
    await engine.dispose()
    await migrate(empty_database_url)
    database = await Database.open(empty_database_url)
    found = await KeyVerifier(database, ring).verify(key)
    async with database.read() as connection:
        records = await api_keys.find_history(connection, [1])
    await database.close()
    assert found is not None
    assert (found.key_id, found.is_account_key, found.grant) == (7, True, FULL)
    assert [(record.id, record.is_account_key, record.scopes) for record in records] == [
        (7, True, ALL_SCOPES),
        (5, True, ALL_SCOPES),
    ]


async def test_an_account_has_one_live_account_key_and_may_have_named_keys(
    database: Database, ring: SecretRing
) -> None:
    holder = await add_holder(database, ring)
    for _ in range(2):
        await add_named(database, ring, holder)
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await api_keys.add(
                connection, ring, api_key.generate(), account_id=holder.account.id, created_by=None, at=NOON
            )


async def test_a_key_is_verified_with_its_grant(database: Database, ring: SecretRing) -> None:
    holder = await add_holder(database, ring)
    grant = Grant(Scope.READ | Scope.SEND, NOON + timedelta(days=7), NETWORKS)
    key, key_id = await add_named(database, ring, holder, grant)
    found = await KeyVerifier(database, ring).verify(key)
    assert found is not None
    assert (found.key_id, found.grant, found.is_account_key, found.revoked) == (key_id, grant, False, False)


async def test_a_named_key_keeps_its_digest_when_the_ring_rotates_until_it_gets_a_new_one(
    database: Database, ring: SecretRing
) -> None:
    holder = await add_holder(database, ring)
    key, key_id = await add_named(database, ring, holder)
    rotated, resealed = await rotate(database, ring)
    assert resealed.api_keys == 1  # the account key
    verifier = KeyVerifier(database, rotated)
    before = await verifier.verify(key)
    async with database.write() as connection:
        await api_keys.replace_digest(connection, key_id, rotated.digest(key))
    after = await verifier.verify(key)
    assert before is not None
    assert after is not None
    assert (before.is_under_old_secret, after.is_under_old_secret) == (True, False)


async def test_a_backup_neither_restores_a_revoked_named_key_nor_widens_one(
    database_url: str, ring: SecretRing, tmp_path: Path
) -> None:
    database = await Database.open(database_url)
    holder = await add_holder(database, ring)
    (revoked, revoked_id), (narrowed, narrowed_id), (kept, _) = [
        await add_named(database, ring, holder) for _ in range(3)
    ]
    await backup.write(database_url, tmp_path / "backup.db", at=NOON)
    narrow = Grant(Scope.READ, NOON + timedelta(days=1), NETWORKS)
    async with database.write() as connection:
        await key_ends.revoke(connection, revoked_id, by=None, at=NOON)
        record = await api_keys.find(connection, narrowed_id)
        assert record is not None
        narrowed_record = replace(record, scopes=narrow.scopes, expires_at=narrow.expires_at, networks=narrow.networks)
        await api_keys.save(connection, narrowed_record)
    await database.close()
    restoration = await restore(tmp_path / "backup.db", database_url, ring, overwrite=True)
    assert restoration.revoked == ()  # the account key still works
    database = await Database.open(database_url)
    verifier = KeyVerifier(database, ring)
    found = [await verifier.verify(key) for key in (holder.key, revoked, narrowed, kept)]
    await database.close()
    assert [(each.revoked, each.grant) for each in found if each] == [
        (False, FULL),
        (True, FULL),
        (False, narrow),
        (False, FULL),
    ]


async def test_keys_that_end_with_an_account_are_found_without_the_account_keys_that_ended_earlier(
    database: Database, ring: SecretRing
) -> None:
    holder = await add_holder(database, ring)
    asked: list[tuple[str, Sequence[Any]]] = []
    async with database.write() as connection:
        assert isinstance(connection, DirectConnection)
        await connection.execute(
            insert(api_keys_table),
            [
                {"account_id": holder.account.id, "created_at": NOON, "revoked_at": NOON, "secret_id": "s", "digest": d}
                for d in (number.to_bytes(4, "big") for number in range(5000))
            ],
        )
        await connection.exec_driver_sql("ANALYZE")

        def note(_c: object, _s: object, statement: str, parameters: Sequence[Any], *_: object) -> None:
            asked.append((statement, parameters))

        event.listen(connection.sync_engine, "before_cursor_execute", note)
        await key_ends.find_holders(connection, [holder.account.id])
        await key_ends.revoke_all(connection, holder.account.id, by=None, at=NOON)
        event.remove(connection.sync_engine, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN" if database.dialect_name == "sqlite" else "EXPLAIN"
        for statement, parameters in asked[:2]:
            plan = str([tuple(row) for row in await connection.ask(f"{explain} {statement}", parameters)])
            assert "ix_api_keys_may_end_others" in plan
            assert "ix_api_keys_account_id" not in plan
