"""What reveals a credential or raises a role needs a recent password of a session. Forms ask for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.bots import BotType
from keybearer.server.storage.tables import sessions
from tests.in_process import InProcessServer
from tests.server.test_form_tokens import once_in

LONG_AGO = timedelta(minutes=11)
SERVICE, MOVED = "http://127.0.0.1:1/", "http://[::1]/"
FORMS = {
    "add a bot": ("/settings/bots/add/", {"full_name": "Oracle", "short_name": "oracle"}, "bot:created"),
    "reactivate a bot": ("/settings/bots/{ghost}/reactivate/", {}, "account:reactivated"),
    "reactivate a person": ("/organization/users/{othello}/reactivate/", {}, "account:reactivated"),
    "invite": ("/organization/invitations/add/", {"emails": "new@example.com", "role": "400"}, "invitation:created"),
    "invite again": ("/organization/invitations/1/resend/", {}, "invitation:created"),
    "make a reset link": ("/organization/users/{hamlet}/reset-link/", {}, "password:reset_link_created"),
    "raise a role": ("/organization/users/{hamlet}/", {"full_name": "Hamlet", "role": "200"}, "account:role_changed"),
    "raise a bot's role": ("/settings/bots/{caller}/", {"full_name": "Caller", "role": "200"}, "bot:changed"),
    "move a service": (
        "/settings/bots/{caller}/",
        {"full_name": "Caller", "payload_url": "http://[::1]/"},
        "bot:changed",
    ),
}


@pytest.mark.parametrize("name", FORMS)
async def test_a_form_that_gives_something_away_needs_a_recent_password(server: InProcessServer, name: str) -> None:
    olive = await server.add_person("olive", Role.OWNER)
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    ghost = await server.add_bot(olive, "ghost")
    caller = await server.add_bot(olive, "caller", BotType.OUTGOING_WEBHOOK, name="Caller")
    wire = server.client()
    await wire.delete(f"/api/v1/users/{othello.id}", auth=olive.auth)
    await wire.delete(f"/api/v1/bots/{ghost.id}", auth=olive.auth)
    await wire.post("/api/v1/invites", auth=olive.auth, data={"invitee_emails": "a@example.com", "stream_ids": "[]"})
    browser = await server.signed_in(olive)
    async with server.context.change(None) as change:
        await change.connection.execute(update(sessions).values(confirmed_at=change.now - LONG_AGO))
    path, fields, event = FORMS[name]
    address = path.format(ghost=ghost.id, othello=othello.id, hamlet=hamlet.id, caller=caller.id)
    if "caller" in path:
        fields = {"role": str(caller.account.role.value), "owner": str(olive.id), "payload_url": SERVICE, **fields}

    async def times() -> int:
        return [recorded for recorded, _, _ in await server.events()].count(event)

    before = await times()
    once = once_in((await browser.get("/organization/invitations/add/")).text)
    asked = await browser.post(address, data={**fields, "once": once})
    assert asked.status_code == 403
    assert "Please enter your password again" in asked.text
    wrong = await browser.post(address, data={**fields, "once": once, "password": "wrong"})
    assert "Password is incorrect." in wrong.text
    assert await times() == before
    given = await browser.post(address, data={**fields, "once": once, "password": olive.password})
    assert given.status_code in (200, 303)
    assert await times() == before + 1


async def test_a_session_whose_password_is_old_raises_no_role_and_moves_no_service(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    olive, hamlet = await server.add_person("olive", Role.OWNER), await server.add_person("hamlet")
    await server.add_person("another", Role.OWNER)
    bot = await server.add_bot(olive, "caller", BotType.OUTGOING_WEBHOOK)
    browser = await server.signed_in(olive)
    async with server.context.change(None) as change:
        await change.connection.execute(update(sessions).values(confirmed_at=change.now - LONG_AGO))
    person, own, of_bot = f"/json/users/{hamlet.id}", f"/json/users/{olive.id}", f"/json/bots/{bot.id}"
    refused = [
        await browser.patch(person, data={"role": "200"}),
        await browser.patch(of_bot, data={"role": "200"}),
        await browser.patch(of_bot, data={"service_payload_url": '"http://[::1]/"'}),
        await browser.delete(own),
    ]
    assert [answer.status_code for answer in refused] == [403, 403, 403, 403]
    allowed = [
        await browser.patch(person, data={"full_name": "Prince"}),
        await browser.patch(person, data={"role": "600"}),
        await browser.patch(of_bot, data={"role": "600"}),
    ]
    assert [answer.status_code for answer in allowed] == [200, 200, 200]
    by_key = await server.client().patch(f"/api/v1/users/{hamlet.id}", auth=olive.auth, data={"role": "200"})
    assert by_key.status_code == 200


async def test_a_session_whose_password_is_old_sees_no_tokens_of_bots(server_on_each: InProcessServer) -> None:
    server = server_on_each
    olive = await server.add_person("olive", Role.OWNER)
    bot = await server.add_bot(olive, "caller", BotType.OUTGOING_WEBHOOK)
    browser = await server.signed_in(olive)

    async def tokens() -> list[str]:
        answer = (await browser.post("/json/register", data={"event_types": '["realm_bot"]'})).json()
        await browser.patch(f"/json/bots/{bot.id}", data={"full_name": f"Caller {answer['queue_id'][:6]}"})
        queue = {"queue_id": answer["queue_id"], "last_event_id": "-1", "dont_block": "true"}
        await browser.patch(f"/json/bots/{bot.id}", data={"service_interface": "2"})
        events = (await browser.get("/json/events", params=queue)).json()["events"]
        shown = [answer["realm_bots"][0], *(event["bot"] for event in events)]
        return [service["token"] for each in shown for service in each.get("services", [])]

    seen = await tokens()
    assert len(seen) == 2
    assert all(seen)
    async with server.context.change(None) as change:
        await change.connection.execute(update(sessions).values(confirmed_at=change.now - LONG_AGO))
    assert await tokens() == ["", ""]


async def test_a_correct_password_is_not_asked_for_again_if_something_else_is_refused(
    server: InProcessServer,
) -> None:
    hamlet = await server.add_person("hamlet")
    await server.add_bot(hamlet, "ghost", name="Ghost")
    browser = await server.signed_in(hamlet)
    async with server.context.change(None) as change:
        await change.connection.execute(update(sessions).values(confirmed_at=change.now - LONG_AGO))
    fields = {"full_name": "Ghost", "short_name": "another", "password": hamlet.password}
    refused = await browser.post("/settings/bots/add/", data=fields)
    assert "Name is already in use." in refused.text
    assert 'type="password"' not in refused.text
