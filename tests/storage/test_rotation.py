"""Rotating the secrets: nothing live stays under the old one, and no key is invalidated."""

from __future__ import annotations

import base64
import json

import pytest
from sqlalchemy import insert, select, update

from keybearer.errors import SecretRingError
from keybearer.secret import Secret
from keybearer.server.domain.bots import BotService, ServiceInterface
from keybearer.server.domain.mails import Mail
from keybearer.server.storage import accounts, api_keys, bots, mails, ring_file, rotation
from keybearer.server.storage.engine import Database
from keybearer.server.storage.ring_file import Content
from keybearer.server.storage.rotation import Resealed
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.server.storage.tables import api_keys as api_keys_table
from keybearer.server.storage.tables import bot_services, known_secrets
from keybearer.server.storage.verification import KeyVerifier
from tests.storage.rows import NOON, add_holders, regenerate


async def rotate(database: Database, ring: SecretRing) -> tuple[SecretRing, Resealed]:
    rotated = ring.rotated()
    rotated.save()
    async with database.write() as connection:
        resealed = await rotation.reseal(connection, rotated, await accounts.find_ids(connection))
        while await rotation.reseal_mails(connection, rotated, limit=2):
            pass
    return rotated, resealed


def only_current(ring: SecretRing) -> SecretRing:
    """Only the ring's current secret."""
    return SecretRing(Content(ring_file.read(ring.path)[0].entries[-1:]), ring.path)


async def add_token(database: Database, ring: SecretRing, account_id: int) -> Secret:
    token = Secret("a-token-of-an-outgoing-webhook")
    async with database.write() as connection:
        service = BotService(account_id, "hook", "https://example.com", ServiceInterface.GENERIC)
        await bots.add_service(connection, ring, service, token)
    return token


async def test_every_live_key_and_token_is_sealed_again_and_still_opens(database: Database, ring: SecretRing) -> None:
    first, second = await add_holders(database, ring, 2)
    token = await add_token(database, ring, first.account.id)
    rotated, resealed = await rotate(database, ring)
    assert resealed == Resealed(api_keys=2, tokens=1)
    alone = only_current(rotated)
    async with database.read() as connection:
        revealed = await api_keys.reveal_account_keys(connection, alone, [first.account.id, second.account.id])
        assert await bots.reveal_token(connection, alone, first.account.id) == token
    assert {each.api_key for each in revealed} == {first.key, second.key}
    for holder in (first, second):
        found = await KeyVerifier(database, alone).verify(holder.key)
        assert found is not None
        assert found.account == holder.account


async def test_a_waiting_mail_is_sealed_again_and_still_opens(database: Database, ring: SecretRing) -> None:
    mail = Mail("hamlet@example.com", "Join", "https://chat.example.com/join/x/\n")
    async with database.write() as connection:
        await mails.add(connection, ring, [mail], at=NOON)
    rotated, _ = await rotate(database, ring)
    alone = only_current(rotated)
    async with database.read() as connection:
        (waiting,) = await mails.find_due(connection, NOON, limit=10)
    assert waiting.opened(alone) == mail


async def test_revoked_keys_are_still_recognised_after_several_rotations(database: Database, ring: SecretRing) -> None:
    (holder,) = await add_holders(database, ring)
    new = await regenerate(database, ring, holder)
    for _ in range(3):
        ring, _ = await rotate(database, ring)
    verifier = KeyVerifier(database, ring)
    old_found, new_found = await verifier.verify(holder.key), await verifier.verify(new)
    assert old_found is not None
    assert old_found.revoked
    assert new_found is not None
    assert not new_found.revoked


async def test_a_server_that_runs_during_a_rotation_still_recognises_every_key(
    database: Database, ring: SecretRing
) -> None:
    holders = await add_holders(database, ring, 3)
    in_use = SecretRing.load(ring.path)
    verifier = KeyVerifier(database, in_use)
    assert await verifier.verify(holders[0].key) is not None
    await rotate(database, ring)
    for holder in holders:
        found = await verifier.verify(holder.key)
        assert found is not None
        assert found.account == holder.account


async def test_a_crash_between_file_and_rows_loses_nothing_and_a_second_run_finishes(
    database: Database, ring: SecretRing
) -> None:
    (holder,) = await add_holders(database, ring)
    ring.rotated().save()
    again = SecretRing.load(ring.path)
    assert await KeyVerifier(database, again).verify(holder.key) is not None
    rotated, resealed = await rotate(database, again)
    assert resealed.api_keys == 1
    async with database.read() as connection:
        assert (await connection.execute(select(api_keys_table.c.secret_id))).scalars().all() == [rotated.current_id]


async def test_a_row_that_does_not_open_stops_the_rotation_with_everything_as_it_was(
    database: Database, ring: SecretRing
) -> None:
    first, second = await add_holders(database, ring, 2)
    async with database.write() as connection:
        table = api_keys_table
        await connection.execute(update(table).where(table.c.id == second.key_id).values(sealed=b"\x01" + b"x" * 60))
    with pytest.raises(SecretRingError, match="does not open"):
        await rotate(database, ring)
    async with database.read() as connection:
        secret_ids = (await connection.execute(select(api_keys_table.c.secret_id))).scalars().all()
    assert set(secret_ids) == {ring.ids[0]}
    assert await KeyVerifier(database, SecretRing.load(ring.path)).verify(first.key) is not None


async def test_a_ring_that_lacks_a_secret_in_use_is_reported_with_its_id(database: Database, ring: SecretRing) -> None:
    (holder,) = await add_holders(database, ring)
    async with database.write() as connection:
        await rotation.check(connection, ring)
        await connection.execute(
            insert(bot_services).values(
                account_id=holder.account.id, name="", base_url="", interface=1, secret_id="gone", sealed_token=b""
            )
        )
        with pytest.raises(SecretRingError, match="it lacks gone"):
            await rotation.check(connection, ring)


async def with_another_secret_under_the_same_id(ring: SecretRing) -> SecretRing:
    other = SecretRing.create(ring.path.with_name("other.json"))
    text = other.path.read_text().replace(other.current_id, ring.current_id)
    other.path.write_text(text)
    return SecretRing.load(other.path)


@pytest.mark.parametrize("what", ["key", "token", "mail"])
async def test_a_ring_with_another_secret_under_the_same_id_is_refused(
    database: Database, ring: SecretRing, what: str
) -> None:
    wrong = await with_another_secret_under_the_same_id(ring)
    elsewhere = SecretRing.create(ring.path.with_name("elsewhere.json"))  # seals what is not checked
    (holder,) = await add_holders(database, ring if what == "key" else elsewhere)
    if what == "token":
        await add_token(database, ring, holder.account.id)
    async with database.write() as connection:
        if what == "mail":
            await mails.add(connection, ring, [Mail("hamlet@example.com", "Join", "text")], at=NOON)
        if what != "key":
            await connection.execute(update(api_keys_table).values(sealed=None, revoked_at=NOON))
        await rotation.check(connection, ring)
        with pytest.raises(SecretRingError, match=f"its secret {ring.current_id} does not open") as refused:
            await rotation.check(connection, wrong)
        assert refused.value.hint == "Put the right secrets file back in its place."


async def test_a_database_with_nothing_sealed_opens_with_any_ring(database: Database, ring: SecretRing) -> None:
    async with database.read() as connection:
        await rotation.check(connection, await with_another_secret_under_the_same_id(ring))


async def test_a_retired_secret_that_was_changed_under_its_id_is_refused(database: Database, ring: SecretRing) -> None:
    retired = ring.current_id
    (holder,) = await add_holders(database, ring)
    ring, _ = await rotate(database, ring)
    await regenerate(database, ring, holder)  # now the retired secret has only digests
    async with database.write() as connection:
        await rotation.remember(connection, ring)
        await rotation.remember(connection, ring)
    document = json.loads(ring.path.read_text())
    assert document["secrets"][0]["id"] == retired
    document["secrets"][0]["secret"] = base64.urlsafe_b64encode(b"x" * 32).decode()
    ring.path.write_text(json.dumps(document))
    async with database.read() as connection:
        with pytest.raises(SecretRingError, match=f"its secret {retired} is not the same as before"):
            await rotation.check(connection, SecretRing.load(ring.path))
        await rotation.check(connection, ring)


async def test_the_fingerprint_of_a_secret_opens_nothing(database: Database, ring: SecretRing) -> None:
    async with database.write() as connection:
        await rotation.remember(connection, ring)
    async with database.read() as connection:
        ((fingerprint,),) = await connection.execute(select(known_secrets.c.fingerprint))
    assert fingerprint not in (*ring.derive_all("seal"), *ring.derive_all("api key digest"))
    assert base64.urlsafe_b64encode(fingerprint).decode() not in ring.path.read_text()
