"""Hand-over links of bots: valid once, for a day, while their creator may manage the bot."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import update

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.links import LIFETIMES, LinkPurpose
from keybearer.server.storage.tables import links
from keybearer.server.storage.tables import sessions as sessions_table
from tests.in_process import InProcessServer, Known
from tests.server.test_form_tokens import once_in


async def make(client: httpx2.AsyncClient, bot: Known) -> str:
    """The path of a new link, made on the page of a bot."""
    path = f"/settings/bots/{bot.id}/hand-over/"
    answer = await client.post(path, data={"once": once_in((await client.get(path)).text)})
    found = re.search(r"/hand-over/[\w-]{43}/", answer.text)
    assert found is not None, answer.text
    return found[0]


def key_in(page: str) -> str:
    """The key that a page shows."""
    found = re.search(r'name="api_key" value="(\w{32})"', page)
    assert found is not None, page
    return found[1]


async def test_a_link_gives_one_named_key_that_its_creator_can_revoke(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    bot = await server.add_bot(hamlet, "ghost")
    link = await make(await server.signed_in(hamlet), bot)
    receiver = await server.signed_in(othello)
    for _ in range(2):
        assert "ghost" in (await receiver.get(link)).text
    listed = await server.client().get(f"/api/v1/bots/{bot.id}/api_keys", auth=hamlet.auth)
    assert len(listed.json()["api_keys"]) == 1

    answers = await asyncio.gather(*(receiver.post(link) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404]
    key = key_in(next(answer.text for answer in answers if answer.status_code == 200))
    assert (await server.client().get("/api/v1/users/me", auth=(bot.email, key))).status_code == 200
    zuliprc = await receiver.post("/zuliprc/", data={"api_key": key})
    assert f"email={bot.email}\nkey={key}\n" in zuliprc.text
    assert (await receiver.get(link)).status_code == 404

    (listed,) = (
        entry
        for entry in (await server.client().get(f"/api/v1/bots/{bot.id}/api_keys", auth=hamlet.auth)).json()["api_keys"]
        if not entry["is_account_key"]
    )
    assert (listed["scopes"], listed["created_by"]) == (["read", "send"], hamlet.id)
    log = await (await server.signed_in(hamlet)).get("/settings/security-log/")
    assert "You created a hand-over link of the bot" in log.text
    assert "by a hand-over link of you" in log.text
    revoked = await server.client().delete(f"/api/v1/bots/{bot.id}/api_keys/{listed['id']}", auth=hamlet.auth)
    assert revoked.status_code == 200
    assert (await server.client().get("/api/v1/users/me", auth=(bot.email, key))).status_code == 401


@pytest.mark.parametrize("end", ["another link", "another owner", "a new key", "deactivated", "maker gone", "too late"])
async def test_a_link_is_invalid_once(server: InProcessServer, end: str) -> None:
    owner = await server.add_person("owner", Role.OWNER)
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    bot = await server.add_bot(hamlet, "ghost")
    browser = await server.signed_in(hamlet)
    link = await make(browser, bot)
    wire = server.client()
    match end:
        case "another link":
            await make(browser, bot)
        case "another owner":
            await wire.patch(f"/api/v1/bots/{bot.id}", auth=hamlet.auth, data={"bot_owner_id": str(othello.id)})
        case "a new key":
            await wire.post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=hamlet.auth)
        case "deactivated":
            await wire.delete(f"/api/v1/bots/{bot.id}", auth=hamlet.auth)
        case "maker gone":
            await wire.delete(f"/api/v1/users/{hamlet.id}", auth=owner.auth)
        case "too late":
            async with server.context.change(None) as change:
                long_ago = server.context.clock() - LIFETIMES[LinkPurpose.HAND_OVER]
                await change.connection.execute(update(links).values(created_at=long_ago, expires_at=long_ago))
    receiver = await server.signed_in(othello)
    assert [(await receiver.get(link)).status_code, (await receiver.post(link)).status_code] == [404, 404]


async def test_a_link_is_invalid_once_its_creator_no_longer_manages_the_bot(server: InProcessServer) -> None:
    owner = await server.add_person("owner", Role.OWNER)
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    bot = await server.add_bot(hamlet, "ghost")
    link = await make(await server.signed_in(hamlet), bot)
    demoted = await server.client().patch(f"/api/v1/users/{hamlet.id}", auth=owner.auth, data={"role": "600"})
    assert demoted.status_code == 200, demoted.text
    receiver = await server.signed_in(othello)
    assert [(await receiver.get(link)).status_code, (await receiver.post(link)).status_code] == [404, 404]


async def test_creating_a_link_needs_a_recent_password(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "ghost")
    browser = await server.signed_in(hamlet)
    async with server.context.change(None) as change:
        long_ago = server.context.clock() - timedelta(minutes=11)
        await change.connection.execute(update(sessions_table).values(confirmed_at=long_ago))
    path = f"/settings/bots/{bot.id}/hand-over/"
    asked = await browser.post(path, data={"once": once_in((await browser.get(path)).text)})
    assert asked.status_code == 403
    assert "Please enter your password again" in asked.text
    given = await browser.post(path, data={"once": once_in(asked.text), "password": hamlet.password})
    assert "/hand-over/" in given.text
