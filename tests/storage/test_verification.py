"""Verifying keys: whose they are, how fresh the answer is, and how many queries it costs."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from keybearer import api_key
from keybearer.errors import StorageError
from keybearer.secret import Secret
from keybearer.server.domain.accounts import EmailVisibility, Role
from keybearer.server.domain.api_keys import VerifiedKey
from keybearer.server.domain.bots import BotType
from keybearer.server.storage import accounts, current_realm, realms, sqlite, verification
from keybearer.server.storage.driver import Found, Lookup
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.tables import accounts as accounts_table
from keybearer.server.storage.tables import api_keys as api_keys_table
from keybearer.server.storage.tables import realms as realms_table
from keybearer.server.storage.verification import KeyVerifier
from tests.databases import PostgreSQLServer
from tests.storage.rows import NOON, add_holder, add_holders, regenerate


class CountedLookup:
    """A look-up that counts its queries, and that can be held while one is running."""

    def __init__(self, inner: Lookup) -> None:
        self.inner = inner
        self.queries: list[int] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def fetch(self, values: Sequence[bytes]) -> Found:
        self.queries.append(len(values))
        found = await self.inner.fetch(values)
        self.begun.set()
        await self.go_on.wait()
        return found

    async def close(self) -> None:
        await self.inner.close()


def counted(verifier: KeyVerifier) -> CountedLookup:
    lookup = CountedLookup(verifier._lookup)
    verifier._lookup = lookup
    return lookup


async def test_a_key_identifies_its_account_and_organization(database: Database, ring: SecretRing) -> None:
    first, holder, _ = await add_holders(database, ring, 3)
    found = await KeyVerifier(database, ring).verify(holder.key)
    assert found is not None
    assert (found.key_id, found.revoked, found.grant.expires_at) == (holder.key_id, False, None)
    assert found.account == holder.account != first.account
    assert found.realm == holder.realm


async def test_every_column_of_an_account_and_a_realm_arrives(database: Database, ring: SecretRing) -> None:
    holder = await add_holder(database, ring)
    async with database.write() as connection:
        await connection.execute(
            update(accounts_table).values(
                role=Role.GUEST.value,
                is_active=False,
                bot_type=BotType.OUTGOING_WEBHOOK.value,
                bot_owner_id=holder.account.id,
                timezone="Europe/Berlin",
                avatar_version=7,
                email_visibility=EmailVisibility.NOBODY.value,
                login_mails=False,
            )
        )
        await connection.execute(update(realms_table).values(is_active=False, description="All of it", can_invite=5))
        await connection.execute(update(api_keys_table).values(expires_at=NOON + timedelta(days=1)))
        account = await accounts.find(connection, holder.account.id)
        realm = await realms.find(connection)
    found = await KeyVerifier(database, ring).verify(holder.key)
    assert found is not None
    assert found.account == account
    assert found.realm == realm
    assert found.grant.expires_at == NOON + timedelta(days=1)


async def test_the_newest_message_of_the_account_arrives(database: Database, ring: SecretRing) -> None:
    holder = await add_holder(database, ring)
    verifier = KeyVerifier(database, ring)
    found = await verifier.verify(holder.key)
    assert found is not None
    assert found.newest_message_id == -1


async def test_a_revoked_key_is_recognised_as_revoked(database: Database, ring: SecretRing) -> None:
    holder = await add_holder(database, ring)
    new = await regenerate(database, ring, holder)
    verifier = KeyVerifier(database, ring)
    old_found, new_found = await verifier.verify(holder.key), await verifier.verify(new)
    assert old_found is not None
    assert new_found is not None
    assert (old_found.revoked, new_found.revoked) == (True, False)
    assert old_found.account == new_found.account


async def test_a_key_that_was_never_issued_is_unknown(database: Database, ring: SecretRing) -> None:
    await add_holder(database, ring)
    assert await KeyVerifier(database, ring).verify(api_key.generate()) is None


async def test_a_text_without_a_valid_checksum_costs_no_query(database: Database, ring: SecretRing) -> None:
    holder = await add_holder(database, ring)
    verifier = KeyVerifier(database, ring)
    lookup = counted(verifier)
    text = holder.key.reveal()
    mistyped = text[:-1] + ("a" if text[-1] != "a" else "b")
    for nonsense in (mistyped, "", "kb", "a" * 32, "ü" * 32, text + "\n", text.swapcase(), "\udcff" * 32):
        assert await verifier.verify(Secret(nonsense)) is None
    assert lookup.queries == []


async def test_requests_that_arrive_together_share_one_query(database: Database, ring: SecretRing) -> None:
    holders = await add_holders(database, ring, 50)
    verifier = KeyVerifier(database, ring)
    lookup = counted(verifier)
    found = await asyncio.gather(*[verifier.verify(holder.key) for holder in holders])
    assert [each.account.id for each in found if each] == [holder.account.id for holder in holders]
    assert lookup.queries == [50]


async def test_requests_that_arrive_during_a_query_share_the_next(database: Database, ring: SecretRing) -> None:
    holders = await add_holders(database, ring, 30)
    verifier = KeyVerifier(database, ring)
    lookup = counted(verifier)
    lookup.go_on.clear()
    first = asyncio.ensure_future(verifier.verify(holders[0].key))
    await lookup.begun.wait()
    others = [asyncio.ensure_future(verifier.verify(holder.key)) for holder in holders[1:]]
    await asyncio.sleep(0)
    lookup.go_on.set()
    await asyncio.gather(first, *others)
    assert lookup.queries == [1, 29]


async def test_a_request_does_not_join_a_query_that_has_begun(database: Database, ring: SecretRing) -> None:
    holder = await add_holder(database, ring)
    verifier = KeyVerifier(database, ring)
    lookup = counted(verifier)
    lookup.go_on.clear()
    before = asyncio.ensure_future(verifier.verify(holder.key))
    await lookup.begun.wait()  # this query has read the database, and its answer is on the way
    await regenerate(database, ring, holder)
    after = asyncio.ensure_future(verifier.verify(holder.key))
    await asyncio.sleep(0)
    lookup.go_on.set()
    found_before, found_after = await asyncio.gather(before, after)
    assert found_before is not None
    assert found_after is not None
    assert (found_before.revoked, found_after.revoked) == (False, True)


async def test_a_request_after_a_commit_never_sees_the_earlier_state(database: Database, ring: SecretRing) -> None:
    holder = await add_holder(database, ring)
    verifier = KeyVerifier(database, ring)
    done = asyncio.Event()

    async def ask_all_the_time() -> None:
        while not done.is_set():
            await verifier.verify(holder.key)

    crowd = [asyncio.create_task(ask_all_the_time()) for _ in range(8)]
    key = holder.key
    for _ in range(15):
        new = await regenerate(database, ring, holder)
        old_found, new_found = await asyncio.gather(verifier.verify(key), verifier.verify(new))
        assert old_found is not None
        assert old_found.revoked
        assert new_found is not None
        assert not new_found.revoked
        key = new
    done.set()
    await asyncio.gather(*crowd)


async def test_a_commit_of_another_process_is_seen_at_once(database_url: str, ring: SecretRing) -> None:
    database = await Database.open(database_url)
    holder = await add_holder(database, ring)
    verifier = KeyVerifier(database, ring)
    assert await verifier.verify(holder.key) is not None
    program = Path(__file__).with_name("regenerate_all.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, database_url, str(ring.path), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    old_found, new_found = await verifier.verify(holder.key), await verifier.verify(output.decode().strip())
    await database.close()
    assert old_found is not None
    assert old_found.revoked
    assert new_found is not None
    assert not new_found.revoked


async def test_an_abandoned_request_does_not_affect_others(database: Database, ring: SecretRing) -> None:
    holders = await add_holders(database, ring, 3)
    verifier = KeyVerifier(database, ring)
    lookup = counted(verifier)
    lookup.go_on.clear()
    tasks = [asyncio.ensure_future(verifier.verify(holder.key)) for holder in holders]
    await lookup.begun.wait()
    tasks[1].cancel()
    lookup.go_on.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[1], asyncio.CancelledError)
    assert [each.account for each in (found[0], found[2]) if isinstance(each, VerifiedKey)] == [
        holders[0].account,
        holders[2].account,
    ]


async def test_more_requests_than_one_query_takes_are_all_answered(database: Database, ring: SecretRing) -> None:
    holder = await add_holder(database, ring)
    verifier = KeyVerifier(database, ring)
    found = await asyncio.gather(*[verifier.verify(holder.key) for _ in range(1500)])
    assert all(each is not None for each in found)


async def test_more_values_than_one_statement_takes_are_still_looked_up(database: Database, ring: SecretRing) -> None:
    holders = await add_holders(database, ring, 2)
    lookup = database.lookup(select(api_keys_table.c.id), api_keys_table.c.digest)
    values = [ring.digest(holder.key).value for holder in holders]
    rows = (await lookup.fetch([values[0], *[b"none"] * 3000, values[1]])).rows
    assert sorted(row[0] for row in rows) == [holder.key_id for holder in holders]


def test_verifying_a_key_on_sqlite_reads_an_index_of_the_keys_and_no_row(sqlite_template: Path) -> None:
    statement = sqlite._compiled(verification._KEYS, api_keys_table.c.digest, current_realm.ALL, 2)
    with closing(sqlite3.connect(sqlite_template)) as connection:
        steps = [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", [b"", b""])]
    keys = [step for step in steps if "api_keys" in step]
    assert keys == ["SEARCH api_keys USING COVERING INDEX ix_api_keys_lookup (digest=?)"]


@pytest.mark.parametrize("name", ["Zoë \U0001f43b", 'a "quoted" name', "back\\slash", "null, true, 1", "\x7f\u2028"])
async def test_names_of_any_text_arrive_as_they_are(database: Database, ring: SecretRing, name: str) -> None:
    holder = await add_holder(database, ring)
    async with database.write() as connection:
        await connection.execute(update(accounts_table).values(full_name=name))
        await connection.execute(update(realms_table).values(description=name))
    found = await KeyVerifier(database, ring).verify(holder.key)
    assert found is not None
    assert (found.account.full_name, found.realm.description) == (name, name)


async def test_a_key_is_found_after_the_ring_was_rotated_by_another_process(
    database: Database, ring: SecretRing
) -> None:
    holder = await add_holder(database, ring)
    in_use = SecretRing.load(ring.path)
    verifier = KeyVerifier(database, in_use)
    rotated = ring.rotated()
    rotated.save()
    new = await regenerate(database, rotated, holder)
    found = await verifier.verify(new)
    assert found is not None
    assert found.account == holder.account
    old_found = await verifier.verify(holder.key)
    assert old_found is not None
    assert old_found.revoked


async def test_when_sqlite_fails_every_request_is_refused_and_the_next_try_works(
    sqlite_url: str, ring: SecretRing, tmp_path: Path
) -> None:
    database = await Database.open(sqlite_url)
    holder = await add_holder(database, ring)
    verifier = KeyVerifier(database, ring)
    hidden, path = tmp_path / "hidden.db", tmp_path / "keybearer.db"
    path.rename(hidden)
    errors = await asyncio.gather(*[verifier.verify(holder.key) for _ in range(5)], return_exceptions=True)
    assert all(isinstance(error, StorageError) for error in errors)
    assert len({id(error) for error in errors}) == 5
    hidden.rename(path)
    assert await verifier.verify(holder.key) is not None
    await database.close()


async def test_when_postgresql_fails_every_request_is_refused_and_the_next_try_works(
    postgresql_url: str, postgresql_server: PostgreSQLServer, ring: SecretRing
) -> None:
    database = await Database.open(postgresql_url)
    holder = await add_holder(database, ring)
    verifier = KeyVerifier(database, ring)
    assert await verifier.verify(holder.key) is not None
    postgresql_server.cut_off(postgresql_url)
    errors = await asyncio.gather(*[verifier.verify(holder.key) for _ in range(5)], return_exceptions=True)
    assert all(isinstance(error, StorageError) for error in errors)
    postgresql_server.let_in(postgresql_url)
    assert await verifier.verify(holder.key) is not None
    async with database.read() as connection:
        assert await realms.find(connection) == holder.realm
    await database.close()


async def test_a_programming_error_refuses_the_requests_and_leaves_none_waiting(
    database: Database, ring: SecretRing
) -> None:
    holder = await add_holder(database, ring)
    async with database.write() as connection:
        await connection.execute(update(accounts_table).values(role=12345))
    with pytest.raises(StorageError, match="an invalid answer"):
        await KeyVerifier(database, ring).verify(holder.key)
