"""Backup and restoration: nothing is lost, no key is revealed, and what was revoked stays revoked."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from keybearer import api_key
from keybearer.errors import FileError, SchemaError, SecretRingError, StorageError
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.grants import FULL
from keybearer.server.storage import accounts, api_keys, backup, key_ends, rotation, sessions
from keybearer.server.storage.engine import Database
from keybearer.server.storage.messaging.tables import metadata
from keybearer.server.storage.restoration import Restoration, restore
from keybearer.server.storage.schema import HEAD, migrate
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.tables import accounts as accounts_table
from keybearer.server.storage.tables import devices, mails, realms
from keybearer.server.storage.tables import sessions as sessions_table
from keybearer.server.storage.verification import KeyVerifier
from tests.databases import DIALECTS
from tests.storage.rows import NOON, Holder, add_holders, add_realm, regenerate


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "keybearer.backup"


@pytest.fixture(params=DIALECTS)
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A second database, without a schema, on either of the two."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'other.db'}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


async def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    database = await Database.open(url)
    async with database.read() as connection:
        found = {
            table.name: sorted((tuple(row) for row in await connection.execute(select(table))), key=str)
            for table in metadata.sorted_tables
        }
    await database.close()
    return found


async def filled(url: str, ring: SecretRing, count: int = 3) -> list[Holder]:
    """A database with people, and a bot that is older than its owner."""
    database = await Database.open(url)
    holders = await add_holders(database, ring, count)
    async with database.write() as connection:
        await connection.execute(
            update(accounts_table)
            .where(accounts_table.c.id == holders[0].account.id)
            .values(bot_owner_id=holders[-1].account.id)
        )
        await connection.execute(
            insert(devices).values(
                account_id=holders[0].account.id, kind="apns", token="abc", token_digest=b"abc", registered_at=NOON
            )
        )
    await database.close()
    return holders


async def test_a_backup_restored_into_an_empty_database_equals_the_original(
    database_url: str, other_url: str, ring: SecretRing, target: Path
) -> None:
    await filled(database_url, ring)
    before = await contents(database_url)
    await backup.write(database_url, target, at=NOON)
    assert await restore(target, other_url, ring) == Restoration(NOON, None, None)
    assert await contents(other_url) == before


async def test_a_backup_is_one_file_that_only_its_owner_can_read(
    database_url: str, ring: SecretRing, target: Path
) -> None:
    await filled(database_url, ring)
    before = {path.name for path in target.parent.iterdir()}
    await backup.write(database_url, target, at=NOON)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert backup.made_at(target) == NOON
    new = {path.name for path in target.parent.iterdir()} - before
    assert {name for name in new if not name.startswith("keybearer.db-")} == {target.name}


async def test_a_backup_contains_neither_a_key_nor_a_secret(database_url: str, ring: SecretRing, target: Path) -> None:
    holders = await filled(database_url, ring)
    await backup.write(database_url, target, at=NOON)
    content = target.read_bytes()
    for holder in holders:
        assert holder.key.reveal().encode() not in content
    assert ring.path.read_bytes() not in content


async def test_a_backup_is_a_snapshot_while_others_write(database_url: str, ring: SecretRing, target: Path) -> None:
    await filled(database_url, ring)
    database = await Database.open(database_url)
    async with database.write() as connection:
        await connection.execute(update(realms).values(description="not committed"))
        await backup.write(database_url, target, at=NOON)
    await database.close()
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT description FROM realms").fetchall() == [("",)]


async def test_a_backup_overwrites_a_file_only_if_told_to(sqlite_url: str, target: Path) -> None:
    target.write_text("precious")
    with pytest.raises(FileError, match="--force"):
        await backup.write(sqlite_url, target, at=NOON)
    assert target.read_text() == "precious"
    await backup.write(sqlite_url, target, at=NOON, overwrite=True)
    assert backup.made_at(target) == NOON


async def test_a_backup_into_a_missing_directory_is_reported(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        await backup.write(sqlite_url, tmp_path / "missing" / "b", at=NOON)


async def test_an_organization_is_replaced_only_if_told_to(database_url: str, ring: SecretRing, target: Path) -> None:
    await filled(database_url, ring)
    await backup.write(database_url, target, at=NOON)
    before = await contents(database_url)
    with pytest.raises(FileError, match="--force"):
        await restore(target, database_url, ring)
    assert await contents(database_url) == before


async def test_keys_revoked_and_accounts_deactivated_since_the_backup_stay_so_and_are_reported(
    database_url: str, ring: SecretRing, target: Path
) -> None:
    unchanged, regenerated, deactivated = await filled(database_url, ring)
    database, script = await Database.open(database_url), api_key.generate()
    async with database.write() as connection:
        named = await api_keys.add_named(
            connection, ring, script, account_id=unchanged.account.id, name="script", grant=FULL,
            created_by=None, created_with=None, at=NOON,
        )  # fmt: skip
    await backup.write(database_url, target, at=NOON)
    later = await regenerate(database, ring, regenerated)
    async with database.write() as connection:
        await connection.execute(
            update(accounts_table).where(accounts_table.c.id == deactivated.account.id).values(is_active=False)
        )
        await key_ends.revoke(connection, named.id, by=None, at=NOON)
    await database.close()

    restoration = await restore(target, database_url, ring, overwrite=True)

    assert restoration.revoked == (regenerated.account.delivery_email,)
    assert restoration.deactivated == (deactivated.account.delivery_email,)
    database = await Database.open(database_url)
    verifier = KeyVerifier(database, ring)
    found = [await verifier.verify(holder.key) for holder in (unchanged, regenerated, deactivated)]
    assert [each.revoked for each in found if each] == [False, True, False]
    assert [each.account.is_active for each in found if each] == [True, True, False]
    assert await verifier.verify(later) is None
    revoked_script = await verifier.verify(script)
    assert revoked_script is not None
    assert revoked_script.revoked
    await database.close()


async def test_keys_revoked_since_are_recognised_across_a_rotation_of_the_secrets(
    sqlite_url: str, ring: SecretRing, target: Path
) -> None:
    (holder,) = await filled(sqlite_url, ring, 1)
    await backup.write(sqlite_url, target, at=NOON)
    rotated = ring.rotated()
    rotated.save()
    database = await Database.open(sqlite_url)
    async with database.write() as connection:
        await rotation.reseal(connection, rotated, [holder.account.id])
    await regenerate(database, rotated, holder)
    await database.close()
    restoration = await restore(target, sqlite_url, rotated, overwrite=True)
    assert restoration.revoked == (holder.account.delivery_email,)


async def test_the_device_registrations_of_a_key_that_stays_revoked_are_removed(
    sqlite_url: str, ring: SecretRing, target: Path
) -> None:
    (holder,) = await filled(sqlite_url, ring, 1)
    await backup.write(sqlite_url, target, at=NOON)
    database = await Database.open(sqlite_url)
    await regenerate(database, ring, holder)
    await database.close()
    await restore(target, sqlite_url, ring, overwrite=True)
    assert (await contents(sqlite_url))["devices"] == []


async def test_sessions_and_waiting_mails_are_not_restored(database_url: str, ring: SecretRing, target: Path) -> None:
    (holder,) = await filled(database_url, ring, 1)
    database = await Database.open(database_url)
    async with database.write() as connection:
        await sessions.add(connection, Secret("token"), account_id=holder.account.id, at=NOON, address="", client="")
        values = {"recipient": "a@example.com", "subject": "", "body": "", "created_at": NOON}
        await connection.execute(insert(mails).values(**values, next_attempt_at=NOON))
    await database.close()
    await backup.write(database_url, target, at=NOON)
    await restore(target, database_url, ring, overwrite=True)
    found = await contents(database_url)
    assert (found["sessions"], found["mails"]) == ([], [])


async def test_ids_continue_after_the_largest_that_was_ever_used(
    database_url: str, ring: SecretRing, target: Path
) -> None:
    (holder,) = await filled(database_url, ring, 1)
    await backup.write(database_url, target, at=NOON)
    database = await Database.open(database_url)
    later = await regenerate(database, ring, holder)
    found = await KeyVerifier(database, ring).verify(later)
    assert found is not None
    await database.close()
    await restore(target, database_url, ring, overwrite=True)
    database = await Database.open(database_url)
    async with database.write() as connection:
        record = await api_keys.add(
            connection, ring, api_key.generate(), account_id=holder.account.id, created_by=None, at=NOON
        )
        account = await accounts.add(
            connection,
            realm_id=holder.realm.id,
            email="new@example.com",
            full_name="New",
            role=Role.MEMBER,
            date_joined=NOON + timedelta(days=1),
        )
    await database.close()
    assert record.id > found.key_id
    assert account.id > holder.account.id


async def test_a_backup_sealed_with_other_secrets_is_refused_and_nothing_is_changed(
    sqlite_url: str, ring: SecretRing, target: Path, tmp_path: Path
) -> None:
    await filled(sqlite_url, ring)
    await backup.write(sqlite_url, target, at=NOON)
    before = await contents(sqlite_url)
    with pytest.raises(SecretRingError, match="not the one"):
        await restore(target, sqlite_url, SecretRing.create(tmp_path / "other.json"), overwrite=True)
    assert await contents(sqlite_url) == before


async def test_a_backup_of_an_older_schema_is_migrated(sqlite_url: str, ring: SecretRing, target: Path) -> None:
    await filled(sqlite_url, ring)
    await backup.write(sqlite_url, target, at=NOON)
    before = await contents(sqlite_url)
    with closing(sqlite3.connect(target)) as connection, connection:
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert revision == (HEAD,)
    await restore(target, sqlite_url, ring, overwrite=True)
    assert await contents(sqlite_url) == before


async def test_a_backup_of_a_newer_program_is_refused(sqlite_url: str, ring: SecretRing, target: Path) -> None:
    await backup.write(sqlite_url, target, at=NOON)
    with closing(sqlite3.connect(target)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="newer Keybearer"):  # though this program may use its schema
        await restore(target, sqlite_url, ring)
    with closing(sqlite3.connect(target)) as connection, connection:
        connection.execute("UPDATE oldest_program SET revision = '9999'")
    with pytest.raises(SchemaError, match="newer Keybearer"):
        await restore(target, sqlite_url, ring)


async def test_a_backup_that_is_damaged_is_refused(sqlite_url: str, ring: SecretRing, target: Path) -> None:
    await filled(sqlite_url, ring, 200)
    await backup.write(sqlite_url, target, at=NOON)
    content = bytearray(target.read_bytes())
    for place in range(len(content) // 2, len(content) - 4096, 512):
        content[place : place + 64] = b"\xff" * 64
    target.write_bytes(content)
    with pytest.raises(StorageError):
        await restore(target, sqlite_url, ring, overwrite=True)


@pytest.mark.parametrize("content", [None, b"", b"not a database at all, but long enough to look like something"])
async def test_a_file_that_is_not_a_backup_is_refused(
    sqlite_url: str, ring: SecretRing, target: Path, content: bytes | None
) -> None:
    if content is not None:
        target.write_bytes(content)
    with pytest.raises(FileError, match="does not exist" if content is None else "is not a backup"):
        await restore(target, sqlite_url, ring)


async def test_a_backup_can_be_restored_after_a_damaged_database_is_moved_away(
    sqlite_url: str, ring: SecretRing, target: Path, tmp_path: Path
) -> None:
    await filled(sqlite_url, ring)
    await backup.write(sqlite_url, target, at=NOON)
    path = tmp_path / "keybearer.db"
    path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(StorageError, match="move it away"):
        await restore(target, sqlite_url, ring, overwrite=True)
    path.unlink()
    assert (await restore(target, sqlite_url, ring)).revoked is None


async def test_a_large_table_is_copied_to_the_last_row(
    database_url: str, empty_postgresql_url: str, ring: SecretRing, target: Path
) -> None:
    database = await Database.open(database_url)
    realm = await add_realm(database)
    async with database.write() as connection:
        row = {"realm_id": realm.id, "full_name": "A", "role": 400, "date_joined": NOON}
        await connection.execute(
            insert(accounts_table),
            [{**row, "delivery_email": f"{n}@example.com", "email_key": f"{n}@example.com"} for n in range(2345)],
        )
    await database.close()
    await backup.write(database_url, target, at=NOON)
    await migrate(empty_postgresql_url)
    await restore(target, empty_postgresql_url, ring)
    restored = await Database.open(empty_postgresql_url)
    async with restored.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(accounts_table))).scalar_one() == 2345
        assert (await connection.execute(select(func.count()).select_from(sessions_table))).scalar_one() == 0
    await restored.close()
