"""Generating a new key: one transaction, after which the old key is dead everywhere and exactly one lives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx2
import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.devices import DeviceKind
from keybearer.server.services import devices
from keybearer.server.storage import api_keys
from tests.in_process import InProcessServer

AT_ONCE = 8


async def history(server: InProcessServer, account_id: int) -> Sequence[APIKeyRecord]:
    async with server.context.reading() as connection:
        return await api_keys.find_history(connection, [account_id])


async def live_keys(server: InProcessServer, account_id: int) -> int:
    return sum(record.is_live for record in await history(server, account_id))


async def mail_subjects(server: InProcessServer) -> list[tuple[str, str]]:
    return [(mail.recipient, mail.subject) for mail in await server.mails()]


async def key_works(server: InProcessServer, email: str, api_key: str) -> bool:
    response = await server.client().get("/api/v1/users/me", auth=(email, api_key))
    return response.status_code == 200


async def test_the_old_key_is_refused_and_the_new_one_works(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    response = await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    new = response.json()["api_key"]
    assert new != hamlet.api_key
    assert not await key_works(server, *hamlet.auth)
    assert await key_works(server, hamlet.email, new)


async def test_of_several_calls_at_once_with_the_same_key_one_succeeds_and_gets_the_live_key(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")

    async def regenerate() -> httpx2.Response:
        return await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)

    responses = await asyncio.gather(*(regenerate() for _ in range(AT_ONCE)))
    succeeded = [response.json()["api_key"] for response in responses if response.status_code == 200]
    told = {response.json()["msg"] for response in responses if response.status_code != 200}
    assert len(succeeded) == 1
    assert told <= {"Invalid API key"}
    assert await key_works(server, hamlet.email, succeeded[0])
    assert await live_keys(server, hamlet.id) == 1


async def test_several_calls_at_once_for_a_bot_all_succeed_and_one_key_is_live(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")

    async def regenerate() -> httpx2.Response:
        return await server.client().post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=hamlet.auth)

    responses = await asyncio.gather(*(regenerate() for _ in range(AT_ONCE)))
    keys = [response.json()["api_key"] for response in responses]
    assert len(set(keys)) == AT_ONCE
    assert [await key_works(server, bot.email, key) for key in keys].count(True) == 1
    assert await live_keys(server, bot.id) == 1


async def test_running_requests_are_answered_and_later_ones_refused(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    stop = asyncio.Event()

    async def keep_asking() -> list[int]:
        client, seen = server.client(), []
        while not stop.is_set():
            seen.append((await client.get("/api/v1/users/me", auth=hamlet.auth)).status_code)
        return seen

    asking = asyncio.gather(*(keep_asking() for _ in range(4)))
    await asyncio.sleep(0)
    response = await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    assert response.status_code == 200
    afterwards = await asyncio.gather(*(key_works(server, *hamlet.auth) for _ in range(20)))
    stop.set()
    seen = await asking
    assert not any(afterwards)
    assert all(set(each) <= {200, 401, 429} for each in seen)


async def test_only_the_device_registrations_of_that_account_are_removed(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    for who in (hamlet, othello):
        for path, form in (
            ("users/me/apns_device_token", {"token": "AAEC", "appid": "org.zulip.Zulip"}),
            ("users/me/android_gcm_reg_id", {"token": "fcm-1"}),
            ("register_client_device", None),
        ):
            response = await server.client().post(f"/api/v1/{path}", auth=who.auth, data=form)
            assert response.status_code == 200, response.text
    await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    assert await devices.find_all(server.context, Caller(hamlet.account)) == []
    kinds = {device.kind for device in await devices.find_all(server.context, Caller(othello.account))}
    assert kinds == set(DeviceKind)


async def test_sessions_and_the_keys_of_owned_bots_stay(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    browser = await server.signed_in(hamlet)
    await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    assert (await browser.get("/json/users/me")).status_code == 200
    assert await key_works(server, *bot.auth)


async def test_the_owner_gets_a_mail_and_the_log_says_who_did_it(server: InProcessServer) -> None:
    hamlet, iago = await server.add_person("hamlet"), await server.add_person("iago", Role.ADMINISTRATOR)
    bot = await server.add_bot(hamlet, "hambot", name="Hamlet Bot")
    await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    await server.client().post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=iago.auth)
    assert await mail_subjects(server) == [
        (hamlet.email, "Your API key was replaced"),
        (hamlet.email, "The API key of Hamlet Bot was replaced"),
    ]
    assert [event for event in await server.events() if event[0] == "api_key:regenerated"] == [
        ("api_key:regenerated", hamlet.id, hamlet.id),
        ("api_key:regenerated", iago.id, bot.id),
    ]


async def test_the_key_of_a_deactivated_bot_is_replaced_too(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    await server.client().delete(f"/api/v1/bots/{bot.id}", auth=hamlet.auth)
    response = await server.client().post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=hamlet.auth)
    refused = await server.client().get("/api/v1/users/me", auth=(bot.email, response.json()["api_key"]))
    assert refused.json()["msg"] == "Account is deactivated"


async def test_the_database_no_longer_contains_a_revoked_key_in_readable_form(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    async with server.context.reading() as connection:
        rows = await connection.exec_driver_sql("SELECT sealed FROM api_keys WHERE revoked_at IS NOT NULL")
        assert [row.sealed for row in rows] == [None]


@pytest.mark.parametrize("way", ["key", "json"])
async def test_the_shown_key_is_the_live_key(server: InProcessServer, way: str) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    new = await server.client().post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=hamlet.auth)
    if way == "key":
        client, prefix, auth = server.client(), "/api/v1", hamlet.auth
    else:
        client, prefix, auth = await server.signed_in(hamlet), "/json", None
    shown = await client.get(f"{prefix}/bots/{bot.id}/api_key", auth=auth)
    listed = await client.get(f"{prefix}/bots", auth=auth)
    assert shown.json()["api_key"] == listed.json()["bots"][0]["api_key"] == new.json()["api_key"]
    for answer in (shown, listed, new):
        assert "no-store" in answer.headers["cache-control"]
