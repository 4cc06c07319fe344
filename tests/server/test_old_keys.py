"""Old keys are not forgotten: the use of an old key is recorded, and each live key knows its last use."""

from __future__ import annotations

import asyncio
import logging

import pytest
from sqlalchemy.exc import DBAPIError

from keybearer.errors import StorageError
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.services.key_uses import MANY_USES, MOST_USES, UseRecorder
from keybearer.server.storage import api_keys
from tests.in_process import InProcessServer, Known
from tests.server.test_regeneration import history


async def regenerated(server: InProcessServer) -> Known:
    """An account as it was before its key was replaced."""
    hamlet = await server.add_person("hamlet")
    await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    return hamlet


async def late_use(server: InProcessServer, known: Known) -> APIKeyRecord:
    """The revoked key's record, as soon as a late use is written next to the request."""
    for _ in range(200):
        record = next(each for each in await history(server, known.id) if not each.is_live)
        if record.late_use is not None:
            return record
        await asyncio.sleep(0.01)
    raise AssertionError("no late use was written")


async def test_the_use_of_a_revoked_key_is_refused_like_any_bad_key_and_recorded(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await regenerated(server)
    client = server.client(address="203.0.113.80", headers={"User-Agent": "OldBot/1.0"})
    response = await client.get("/api/v1/users/me", auth=hamlet.auth)
    assert (response.status_code, response.json()["msg"]) == (401, "Invalid API key")
    use = (await late_use(server, hamlet)).late_use
    assert use is not None
    assert (use.address, use.client) == ("203.0.113.80", "OldBot/1.0")
    assert ("api_key:late_use", None, hamlet.id) in await server.events()


async def test_a_revoked_key_with_another_address_is_recorded_too(server: InProcessServer) -> None:
    hamlet = await regenerated(server)
    await server.client().get("/api/v1/users/me", auth=("nobody@example.com", hamlet.api_key))
    assert (await late_use(server, hamlet)).late_use is not None


async def test_a_program_that_keeps_trying_is_recorded_once_a_minute(server: InProcessServer) -> None:
    hamlet = await regenerated(server)
    await server.client().get("/api/v1/users/me", auth=hamlet.auth)
    await late_use(server, hamlet)
    for _ in range(5):
        await server.client().get("/api/v1/users/me", auth=hamlet.auth)
        await asyncio.sleep(0.01)
    assert [event for event, *_ in await server.events()].count("api_key:late_use") == 1


async def test_a_forgotten_bot_with_an_old_key_is_named_once_in_the_log_and_never_its_key(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "forgotten", name="Forgotten Bot")
    await server.client().post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=hamlet.auth)
    caplog.set_level(logging.INFO)
    for again in range(100):
        await server.client().get("/api/v1/users/me", auth=bot.auth)
        if again == 0:
            await late_use(server, bot)
    about = [record.getMessage() for record in caplog.records if record.name.startswith("keybearer")]
    assert len(about) == 1, about
    assert f"Forgotten Bot (account {bot.id})" in about[0]
    assert bot.api_key not in caplog.text


async def test_the_owner_s_page_says_that_an_old_key_of_a_bot_is_used(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "forgotten")
    await server.client().post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=hamlet.auth)
    browser = await server.signed_in(hamlet)
    pages = {
        "/settings/bots/": "old key in use",
        f"/settings/bots/{bot.id}/": "An old API key is still being used",
    }
    assert not [page for page, said in pages.items() if said in (await browser.get(page)).text]
    await server.client(address="203.0.113.80").get("/api/v1/users/me", auth=bot.auth)
    await late_use(server, bot)
    for page, said in pages.items():
        assert said in (await browser.get(page)).text
    assert "203.0.113.80" in (await browser.get(f"/settings/bots/{bot.id}/")).text


async def test_a_live_key_knows_its_last_use(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    async with server.context.reading() as connection:
        live = await api_keys.find_account_key(connection, hamlet.id)
    assert live is not None
    recorder = UseRecorder(server.context)
    recorder.note(live.id, RequestOrigin(address="203.0.113.5", client="Bot/2 \x1b[31m\n" + "x" * 500))
    await recorder.write()
    use = (await history(server, hamlet.id))[0].last_use
    assert use is not None
    assert use.address == "203.0.113.5"
    assert use.client.startswith("Bot/2 ")
    assert use.client.isprintable()
    assert len(use.client) <= 200


async def test_an_older_use_from_another_worker_does_not_overwrite_a_newer_one(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    async with server.context.reading() as connection:
        live = await api_keys.find_account_key(connection, hamlet.id)
    assert live is not None
    early, late = UseRecorder(server.context), UseRecorder(server.context)
    early.note(live.id, RequestOrigin("203.0.113.1", "early"))
    late.note(live.id, RequestOrigin("203.0.113.2", "late"))
    await late.write()
    await early.write()
    use = (await history(server, hamlet.id))[0].last_use
    assert use is not None
    assert use.client == "late"


def use(recorder: UseRecorder, key_ids: range) -> None:
    """Record a use of each of these keys."""
    for key_id in key_ids:
        recorder.note(key_id, RequestOrigin("203.0.113.1", "bot"))


async def test_uses_of_many_keys_are_written_early(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    first = (await history(server, hamlet.id))[0].id
    recorder = UseRecorder(server.context)
    running = asyncio.create_task(recorder.run())
    use(recorder, range(first, first + MANY_USES))
    for _ in range(500):
        if (await history(server, hamlet.id))[0].last_use is not None:
            break
        await asyncio.sleep(0.01)  # at most 5 seconds; without many keys it would take half a minute
    else:
        raise AssertionError("the uses were not written early")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_uses_that_wait_are_bounded_and_the_log_says_that_some_are_lost(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    hamlet = await server.add_person("hamlet")
    first = (await history(server, hamlet.id))[0].id
    recorder = UseRecorder(server.context)
    use(recorder, range(first, first + MOST_USES + 2))
    await recorder.write()
    assert (await history(server, hamlet.id))[0].last_use is None
    assert caplog.text.count("the last uses of some keys are lost") == 1


async def test_the_uses_that_wait_stay_bounded_when_a_write_fails(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    hamlet = await server.add_person("hamlet")
    first = (await history(server, hamlet.id))[0].id
    recorder = UseRecorder(server.context)
    use(recorder, range(first, first + MOST_USES))
    async with server.context.change(None) as change:
        await change.connection.exec_driver_sql("ALTER TABLE api_key_uses RENAME COLUMN last_used_at TO hidden")
        failing = asyncio.create_task(recorder.write())
        await asyncio.sleep(0)  # it waits for this transaction to end
        use(recorder, range(first + MOST_USES, first + MOST_USES + 10))
    with pytest.raises((StorageError, DBAPIError)):
        await failing
    assert caplog.text.count("the last uses of some keys are lost") == 1


async def test_uses_that_cannot_be_written_now_are_written_later(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    async with server.context.reading() as connection:
        live = await api_keys.find_account_key(connection, hamlet.id)
    assert live is not None
    recorder = UseRecorder(server.context)
    recorder.note(live.id, RequestOrigin("203.0.113.1", "bot"))
    async with server.context.change(None) as change:
        await change.connection.exec_driver_sql("ALTER TABLE api_key_uses RENAME COLUMN last_used_at TO hidden")
    with pytest.raises((StorageError, DBAPIError)):
        await recorder.write()
    async with server.context.change(None) as change:
        await change.connection.exec_driver_sql("ALTER TABLE api_key_uses RENAME COLUMN hidden TO last_used_at")
    await recorder.write()
    assert (await history(server, hamlet.id))[0].last_use is not None
