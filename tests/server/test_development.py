"""`serve --development`: anybody can sign in with just an email address, in Zulip's formats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.bots import BotType
from keybearer.server.services import deactivation
from tests.in_process import InProcessServer, prepared, serving


@pytest.fixture
async def development(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """A server in development mode."""
    async with serving(prepared(tmp_path / "data", sqlite_template, development=True)) as server:
        yield server


async def test_an_email_is_enough_for_the_key_and_a_session(development: InProcessServer) -> None:
    hamlet = await development.add_person("hamlet")
    browser = development.client()
    response = await browser.post("/api/v1/dev_fetch_api_key", data={"username": hamlet.email.upper()})
    assert response.json() == {
        "result": "success",
        "msg": "",
        "api_key": hamlet.api_key,
        "email": hamlet.email,
        "user_id": hamlet.id,
    }
    assert (await browser.get("/json/users/me")).json()["user_id"] == hamlet.id
    headers = {"X-CSRFToken": browser.cookies["csrftoken"]}
    assert (await browser.post("/json/register_client_device", headers=headers)).status_code == 200


async def test_a_session_of_an_incoming_webhook_bot_opens_nothing_and_is_no_reason_to_sign_in_again(
    development: InProcessServer,
) -> None:
    bot = await development.add_bot(await development.add_person("hamlet"), "hooks", BotType.INCOMING_WEBHOOK)
    browser = development.client()
    await browser.post("/api/v1/dev_fetch_api_key", data={"username": bot.email})
    for path in ("/json/users/me", "/json/bots"):
        answer = await browser.get(path)
        assert answer.status_code == 400
        assert answer.json()["msg"] == "Webhook bots can only access webhooks"
        assert "www-authenticate" not in answer.headers
    assert (await browser.get("/user_uploads/1/ab/none.txt")).text == "Webhook bots can only access webhooks\n"


async def test_people_are_listed_with_administrators_first_and_at_most_ten_others(
    development: InProcessServer,
) -> None:
    for number in range(12):
        await development.add_person(f"person{number:02}")
    gone = await development.add_person("gone")
    await deactivation.deactivate_person(development.context, None, gone.id)
    olive = await development.add_person("olive", Role.OWNER)
    await development.add_bot(olive, "helper")
    body = (await development.client().get("/api/v1/dev_list_users")).json()
    assert body["direct_admins"] == [{"email": olive.email, "realm_url": development.site}]
    assert [row["email"] for row in body["direct_users"]] == [f"person{number:02}@example.com" for number in range(10)]


async def test_server_settings_say_that_anybody_can_sign_in(development: InProcessServer) -> None:
    body = (await development.client().get("/api/v1/server_settings")).json()
    assert body["authentication_methods"]["dev"] is True
