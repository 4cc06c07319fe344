"""An account whose key was revoked by its finder has none: it is told so everywhere, and generates another."""

from __future__ import annotations

import re

from tests.in_process import SITE, InProcessServer, Known
from tests.server.named_keys import POSSESSION, is_accepted, issued
from tests.server.test_form_tokens import once_in


async def find_and_revoke(server: InProcessServer, key: Known) -> None:
    answer = await server.client().post(POSSESSION, data={"api_key": key.api_key})
    assert answer.status_code == 200


async def bots_of(server: InProcessServer, owner: Known) -> dict[str, str | None]:
    """The bots that the wire lists, with their keys."""
    answer = await server.client().get("/api/v1/bots", auth=owner.auth)
    return {bot["username"]: bot.get("api_key") for bot in answer.json()["bots"]}


async def test_an_account_without_a_key_can_generate_one_with_its_password(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    named = await issued(server, hamlet.auth)
    await find_and_revoke(server, hamlet)
    assert [await is_accepted(server, each) for each in (hamlet, named)] == [False, False]
    password = {"username": hamlet.email, "password": hamlet.password}
    fetched = await server.client().post("/api/v1/fetch_api_key", data=password)
    assert f"generate a new one at {SITE}/settings/account/" in fetched.json()["msg"]

    browser = await server.signed_in(hamlet)
    assert "You have no API key" in (await browser.get("/settings/account/")).text
    wrong = await browser.post("/settings/account/api-key/", data={"password": "wrong"})
    assert "Password is incorrect." in wrong.text
    question = await browser.post("/settings/account/api-key/", data={"password": hamlet.password})
    assert "You currently have no API key" in question.text
    made = await browser.post("/settings/account/api-key/regenerate/", data={"once": once_in(question.text)})
    key = "".join(re.findall(r"<span>(\w+)</span>", made.text.split('id="api_key_value"')[1].split("</code>")[0]))
    assert (await server.client().get("/api/v1/users/me", auth=(hamlet.email, key))).status_code == 200


async def test_a_bot_without_a_key_is_listed_without_one_and_can_get_another(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    ghost, oracle = await server.add_bot(hamlet, "ghost"), await server.add_bot(hamlet, "oracle")
    await find_and_revoke(server, ghost)
    assert await bots_of(server, hamlet) == {ghost.email: None, oracle.email: oracle.api_key}
    shown = [subject for event, _, subject in await server.events() if event == "api_key:viewed"]
    assert shown == [oracle.id]
    refused = await server.client().get(f"/api/v1/bots/{ghost.id}/api_key", auth=hamlet.auth)
    assert refused.json()["msg"].endswith(f"generate a new one at {SITE}/settings/bots/{ghost.id}/")

    browser = await server.signed_in(hamlet)
    assert "no API key" in (await browser.get("/settings/bots/")).text
    panel = (await browser.get(f"/settings/bots/{ghost.id}/")).text
    assert "This bot has no API key" in panel
    assert "Show API key" not in panel
    path = f"/settings/bots/{ghost.id}/api-key/regenerate/"
    made = await browser.post(path, data={"once": once_in((await browser.get(path)).text)})
    assert "the bot's new API key" in made.text
    key = (await bots_of(server, hamlet))[ghost.email]
    assert key is not None
    assert key != ghost.api_key
    assert (await server.client().get("/api/v1/users/me", auth=(ghost.email, key))).status_code == 200


async def test_the_wire_can_generate_a_key_for_a_bot_without_one(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    ghost = await server.add_bot(hamlet, "ghost")
    await find_and_revoke(server, ghost)
    made = await server.client().post(f"/api/v1/bots/{ghost.id}/api_key/regenerate", auth=hamlet.auth)
    assert await bots_of(server, hamlet) == {ghost.email: made.json()["api_key"]}


async def test_white_space_around_a_found_key_does_not_keep_it_alive(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    for around in ("{}\n", " {}", "\t{}\r\n"):
        key = await issued(server, hamlet.auth)
        answer = await server.client().post(POSSESSION, data={"api_key": around.format(key.api_key)})
        assert (answer.status_code, await is_accepted(server, key)) == (200, False)
