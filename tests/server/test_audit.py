"""The audit log: every important event, with who, whom, when, from where and with what."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

import pytest

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.services import api_keys, passwords
from keybearer.server.storage.audit import AuditFilter
from keybearer.server.storage.audit import find as find_audit
from tests.in_process import ADDRESS, PASSWORD, InProcessServer

NEW = "another good passphrase 9375"


async def test_each_event_is_recorded_with_who_did_it_to_whom(server: InProcessServer) -> None:
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    start = server.context.clock()
    client, browser = server.client(), await server.signed_in(hamlet)
    made = await client.post("/api/v1/bots", auth=hamlet.auth, data={"full_name": "The Bot", "short_name": "the"})
    bot = made.json()["user_id"]
    await client.get(f"/api/v1/bots/{bot}/api_key", auth=hamlet.auth)
    await client.get("/api/v1/bots", auth=hamlet.auth)
    await api_keys.reveal_bot(server.context, Caller(hamlet.account), bot, event=AuditEvent.API_KEY_DOWNLOADED)
    await client.post(f"/api/v1/bots/{bot}/api_key/regenerate", auth=iago.auth)
    await client.post("/api/v1/fetch_api_key", data={"username": hamlet.email, "password": "wrong"})
    await client.post("/api/v1/fetch_api_key", data={"username": hamlet.email, "password": PASSWORD})
    await browser.post("/json/fetch_api_key", data={"password": "wrong"})
    await browser.post("/json/fetch_api_key", data={"password": PASSWORD})
    await browser.patch("/json/settings", data={"old_password": "wrong", "new_password": NEW})
    await browser.patch("/json/settings", data={"old_password": PASSWORD, "new_password": NEW})
    await client.post("/api/v1/register_client_device", auth=hamlet.auth)
    await client.patch(f"/api/v1/users/{hamlet.id}", auth=iago.auth, data={"role": "300", "full_name": "Prince"})
    await client.delete(f"/api/v1/users/{hamlet.id}", auth=iago.auth)
    await client.post(f"/api/v1/users/{hamlet.id}/reactivate", auth=iago.auth)
    assert await server.events(since=start) == [
        ("session:opened", hamlet.id, hamlet.id),
        ("bot:created", hamlet.id, bot),
        ("api_key:issued", hamlet.id, bot),
        ("api_key:viewed", hamlet.id, bot),
        ("api_key:viewed", hamlet.id, bot),
        ("api_key:downloaded", hamlet.id, bot),
        ("api_key:regenerated", iago.id, bot),
        ("session:refused", None, hamlet.id),
        ("api_key:fetched", hamlet.id, hamlet.id),
        ("password:refused", hamlet.id, hamlet.id),
        ("password:confirmed", hamlet.id, hamlet.id),
        ("api_key:viewed", hamlet.id, hamlet.id),
        ("password:refused", hamlet.id, hamlet.id),
        ("password:changed", hamlet.id, hamlet.id),
        ("device:registered", hamlet.id, hamlet.id),
        ("account:role_changed", iago.id, hamlet.id),
        ("account:renamed", iago.id, hamlet.id),
        ("account:deactivated", iago.id, bot),
        ("account:deactivated", iago.id, hamlet.id),
        ("account:reactivated", iago.id, hamlet.id),
        ("api_key:regenerated", iago.id, hamlet.id),
    ]


async def test_a_record_names_address_and_client_and_cannot_contain_a_forged_line(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    client = server.client(headers={b"User-Agent": "Bot/1.0 (évil)\x07".encode() + b"x" * 400})
    await client.post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    async with server.context.reading() as connection:
        (record,) = await find_audit(connection, AuditFilter(events=[AuditEvent.API_KEY_REGENERATED]))
    assert record.address == ADDRESS
    assert record.client.startswith("Bot/1.0 ")
    assert record.client.isprintable()
    assert len(record.client) <= 200


async def test_a_refused_call_of_an_account_is_recorded_once_a_minute_for_each_reason(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    bot = await server.add_bot(hamlet, "hambot")
    start = server.context.clock()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await server.client().post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=othello.auth)
            await server.client().delete(f"/api/v1/users/{hamlet.id}", auth=othello.auth)
    assert await recorded(server, since=start, number=2) == [("call:refused", None, othello.id)] * 2
    logged = [record for record in caplog.records if "refused a call" in record.getMessage()]
    assert {record.__dict__["account_id"] for record in logged} == {othello.id}
    assert [record.getMessage() for record in logged] == [
        f"refused a call of account {othello.id} from {ADDRESS}: {reason}: Insufficient permission"
        for reason in ("POST bots/{bot_id}/api_key/regenerate", "DELETE users/{user_id}")
    ]


async def test_a_live_key_with_another_email_or_at_another_host_is_recorded(server: InProcessServer) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    start = server.context.clock()
    await server.client().get("/api/v1/users/me", auth=("nobody@example.com", hamlet.api_key))
    await server.client().get("/api/v1/users/me", auth=othello.auth, headers={"Host": "other.example.com"})
    found = await recorded(server, since=start, number=2)
    assert sorted(found) == [("call:refused", None, hamlet.id), ("call:refused", None, othello.id)]


async def test_a_guest_who_subscribes_others_is_recorded_as_refused(server: InProcessServer) -> None:
    guest, othello = await server.add_person("guest", Role.GUEST), await server.add_person("othello")
    start = server.context.clock()
    form = {"subscriptions": '[{"name": "general"}]', "principals": f"[{othello.id}]"}
    answer = await server.client().post("/api/v1/users/me/subscriptions", auth=guest.auth, data=form)
    assert answer.json()["msg"] == "Not allowed for guest users"
    assert await recorded(server, since=start) == [("call:refused", None, guest.id)]


async def recorded(
    server: InProcessServer, *, since: datetime, number: int = 1
) -> list[tuple[str, int | None, int | None]]:
    """The audit events, once there are that many: refusals are written next to the answer."""
    found: list[tuple[str, int | None, int | None]] = []
    for _ in range(500):
        found = await server.events(since=since)
        if len(found) >= number:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(found)


async def test_the_log_holds_no_key_and_no_password(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    secret = "Tr0ub4dor&3 is no longer good"
    await server.client().post("/api/v1/fetch_api_key", data={"username": hamlet.email, "password": secret})
    await passwords.change_own(
        server.context, Caller(hamlet.account, RequestOrigin("203.0.113.1")), old=Secret(PASSWORD), new=Secret(secret)
    )
    await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    new = await server.known(hamlet.email)
    async with server.context.reading() as connection:
        rows = [str(row) for row in await connection.exec_driver_sql("SELECT * FROM audit")]
        rows += [str(row) for row in await connection.exec_driver_sql("SELECT * FROM mails")]
    rows += [mail.body for mail in await server.mails()]
    for canary in (secret, PASSWORD, hamlet.api_key, new.api_key):
        assert not [row for row in rows if canary in row]
