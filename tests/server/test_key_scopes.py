"""Scopes: what a key lets somebody do, and that no key passes on more than it has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.bots import BotType
from tests.in_process import InProcessServer, Known
from tests.server.named_keys import OWN, entries, form, issue, issued, post, status_and_code

PASSPHRASE = "another good passphrase 9375"


@pytest.fixture
async def hamlet(server: InProcessServer) -> Known:
    return await server.add_person("hamlet")


async def test_a_missing_scope_is_403_with_its_own_code(server: InProcessServer, hamlet: Known) -> None:
    key = await issued(server, hamlet.auth)
    client = server.client()
    assert (await client.get("/api/v1/users/me", auth=key.auth)).status_code == 200
    sent = form(type="direct", to=[hamlet.id], content="by a script")
    assert (await client.post("/api/v1/messages", auth=key.auth, data=sent)).status_code == 200
    for method, path in (
        ("POST", "users/me/subscriptions"),
        ("GET", "bots"),
        ("POST", "users/me/api_key/regenerate"),
        ("GET", "users/me/api_keys"),
        ("POST", "users/me/api_keys"),
    ):
        answer = await client.request(method, f"/api/v1/{path}", auth=key.auth)
        assert status_and_code(answer) == (403, "INSUFFICIENT_SCOPE"), path
        assert "it has read, send" in answer.json()["msg"]


async def test_stars_need_the_scope_send_and_read_flags_the_scope_read(server: InProcessServer, hamlet: Known) -> None:
    sent = await post(server, "/api/v1/messages", hamlet.auth, type="direct", to=[hamlet.id], content="note")
    key = await issued(server, hamlet.auth, scopes=["read"])
    flags = {"messages": [sent.json()["id"]], "op": "add"}
    read = await post(server, "/api/v1/messages/flags", key.auth, flag="read", **flags)
    assert read.status_code == 200
    starred = await post(server, "/api/v1/messages/flags", key.auth, flag="starred", **flags)
    assert status_and_code(starred) == (403, "INSUFFICIENT_SCOPE")


async def test_changing_a_password_or_a_bots_owner_needs_the_scope_keys(server: InProcessServer, hamlet: Known) -> None:
    cordelia, bot = await server.add_person("cordelia"), await server.add_bot(hamlet, "hambot")
    key = await issued(server, hamlet.auth, scopes=["read", "send", "manage"])
    passwords = form(old_password=hamlet.password, new_password=PASSPHRASE)
    changed = await server.client().patch("/api/v1/settings", auth=key.auth, data=passwords)
    given = await server.client().patch(f"/api/v1/bots/{bot.id}", auth=key.auth, data=form(bot_owner_id=cordelia.id))
    renamed = await server.client().patch(f"/api/v1/bots/{bot.id}", auth=key.auth, data=form(full_name="Renamed"))
    assert [status_and_code(each) for each in (changed, given)] == [(403, "INSUFFICIENT_SCOPE")] * 2
    assert renamed.status_code == 200


async def test_choosing_who_is_sent_a_bots_token_needs_the_scope_keys(server: InProcessServer, hamlet: Known) -> None:
    bot = await server.add_bot(hamlet, "hook", BotType.OUTGOING_WEBHOOK)
    key = await issued(server, hamlet.auth, scopes=["read", "send", "manage"])
    url = form(service_payload_url=json.dumps("https://attacker.example/"))
    taken = await server.client().patch(f"/api/v1/bots/{bot.id}", auth=key.auth, data=url)
    assert status_and_code(taken) == (403, "INSUFFICIENT_SCOPE")
    changed = await server.client().patch(f"/api/v1/bots/{bot.id}", auth=hamlet.auth, data=url)
    assert changed.json()["service_payload_url"] == "https://attacker.example/"


async def test_seeing_a_bots_token_needs_the_scope_keys(server: InProcessServer, hamlet: Known) -> None:
    bot = await server.add_bot(hamlet, "hook", BotType.OUTGOING_WEBHOOK)
    key = await issued(server, hamlet.auth)
    seen = []
    for auth in (hamlet.auth, key.auth):
        state = (await post(server, "/api/v1/register", auth, event_types=["realm_bot"])).json()
        await server.client().patch(f"/api/v1/bots/{bot.id}", auth=hamlet.auth, data=form(service_interface=1))
        query = {"queue_id": state["queue_id"], "last_event_id": "-1"}
        answer = await server.client().get("/api/v1/events", params=query, auth=auth)
        (event,) = [each for each in answer.json()["events"] if each["type"] == "realm_bot"]
        seen += [state["realm_bots"][0]["services"][0]["token"], event["bot"]["services"][0]["token"]]
    assert seen[0] == seen[1] != ""
    assert seen[2:] == ["", ""]


async def test_no_key_can_reveal_or_change_a_key_that_may_do_more(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet", Role.OWNER)
    bot = await server.add_bot(hamlet, "hambot")
    limits: dict[str, Any] = {"scopes": ["read", "keys"], "expires_in_days": 7, "networks": ["198.51.100.0/24"]}
    key = await issued(server, hamlet.auth, **limits)
    wide = await issued(server, hamlet.auth, name="wide")
    await post(server, "/api/v1/invites", hamlet.auth, invitee_emails="b@example.com", stream_ids=[])
    (invitation,) = (await server.client().get("/api/v1/invites", auth=hamlet.auth)).json()["invites"]
    beyond = [
        await issue(server, key.auth, scopes=["read", "send"]),
        await issue(server, key.auth, scopes=["read"], expires_in_days=8),
        await issue(server, key.auth, scopes=["read"], expires_in_days=None),
        await issue(server, key.auth, scopes=["read"], networks=["198.51.0.0/16"]),
        await issue(server, key.auth, scopes=["read"], networks=[]),
        await issue(server, key.auth, bot=bot, scopes=["send"]),
        await post(server, f"{OWN}/{wide.id}/regenerate", key.auth),
        await server.client().patch(f"{OWN}/{wide.id}", auth=key.auth, data=form(name="mine")),
        await server.client().get("/api/v1/bots", auth=key.auth),
        await server.client().get(f"/api/v1/bots/{bot.id}/api_key", auth=key.auth),
        await post(server, f"/api/v1/bots/{bot.id}/api_key/regenerate", key.auth),
        await post(server, "/api/v1/bots", key.auth, full_name="Another", short_name="another"),
        await post(server, "/api/v1/users", key.auth, email="a@example.com", password=PASSPHRASE, full_name="Aaron"),
        await post(server, "/api/v1/invites", key.auth, invitee_emails="a@example.com", stream_ids=[], invite_as=100),
        await post(server, "/api/v1/invites/multiuse", key.auth, stream_ids=[]),
        await post(server, f"/api/v1/invites/{invitation['id']}/resend", key.auth),
        await server.client().get("/api/v1/invites", auth=key.auth),
    ]
    assert [status_and_code(each) for each in beyond] == [(403, "BEYOND_OWN_GRANT")] * len(beyond)
    inherited = await issued(server, key.auth, scopes=["read"])
    by_id = {entry["id"]: entry for entry in await entries(server, hamlet.auth)}
    assert by_id[inherited.id]["expires_at"] == by_id[key.id]["expires_at"]
    assert by_id[inherited.id]["networks"] == limits["networks"]
