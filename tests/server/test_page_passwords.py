"""Forms that reveal a credential ask for the password if it was given too long ago, and are carried out with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from keybearer.server.domain.accounts import Role
from keybearer.server.storage.tables import sessions
from tests.in_process import InProcessServer
from tests.server.test_form_tokens import once_in

LONG_AGO = timedelta(minutes=11)
FORMS = {
    "add a bot": ("/settings/bots/add/", {"full_name": "Oracle", "short_name": "oracle"}, "bot:created"),
    "reactivate a bot": ("/settings/bots/{ghost}/reactivate/", {}, "account:reactivated"),
    "reactivate a person": ("/organization/users/{othello}/reactivate/", {}, "account:reactivated"),
    "invite": ("/organization/invitations/add/", {"emails": "new@example.com", "role": "400"}, "invitation:created"),
    "invite again": ("/organization/invitations/1/resend/", {}, "invitation:created"),
    "make a reset link": ("/organization/users/{hamlet}/reset-link/", {}, "password:reset_link_created"),
}


@pytest.mark.parametrize("name", FORMS)
async def test_a_form_that_reveals_a_credential_needs_a_recent_password(server: InProcessServer, name: str) -> None:
    olive = await server.add_person("olive", Role.OWNER)
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    ghost = await server.add_bot(olive, "ghost")
    wire = server.client()
    await wire.delete(f"/api/v1/users/{othello.id}", auth=olive.auth)
    await wire.delete(f"/api/v1/bots/{ghost.id}", auth=olive.auth)
    await wire.post("/api/v1/invites", auth=olive.auth, data={"invitee_emails": "a@example.com", "stream_ids": "[]"})
    browser = await server.signed_in(olive)
    async with server.context.change(None) as change:
        await change.connection.execute(update(sessions).values(confirmed_at=change.now - LONG_AGO))
    path, fields, event = FORMS[name]
    address = path.format(ghost=ghost.id, othello=othello.id, hamlet=hamlet.id)

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
