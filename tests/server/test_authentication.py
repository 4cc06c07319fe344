"""Who sends a request: HTTP Basic on the API, sessions with a token on `/json`, in Zulip's order and words."""

from __future__ import annotations

import base64
import resource
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from keybearer import api_key as api_key_format
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.bots import BotType
from keybearer.server.storage import realms
from keybearer.server.storage.tables import api_keys, sessions
from tests.in_process import SITE, InProcessServer

NOT_LOGGED_IN = "Not logged in: API authentication or user session required"


def basic(email: str, api_key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{email}:{api_key}".encode()).decode()}


async def status_and_message(server: InProcessServer, headers: dict[str, str]) -> tuple[int, str]:
    response = await server.client().get("/api/v1/users/me", headers=headers)
    return response.status_code, response.json()["msg"]


async def set_realm_active(server: InProcessServer, *, is_active: bool) -> None:
    async with server.context.change(None) as change:
        realm = await realms.find(change.connection)
        assert realm is not None
        await realms.save(change.connection, replace(realm, is_active=is_active))


async def test_the_organization_is_checked_before_the_account_and_both_before_the_host(
    server: InProcessServer,
) -> None:
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    await server.client().delete(f"/api/v1/users/{hamlet.id}", auth=iago.auth)
    elsewhere = {**basic(*hamlet.auth), "Host": "elsewhere.example"}
    await set_realm_active(server, is_active=False)
    assert await status_and_message(server, elsewhere) == (401, "This organization has been deactivated")
    await set_realm_active(server, is_active=True)
    assert await status_and_message(server, elsewhere) == (401, "Account is deactivated")


async def test_a_valid_key_at_another_host_is_refused(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    headers = {**basic(*hamlet.auth), "Host": "elsewhere.example"}
    assert await status_and_message(server, headers) == (401, "Account is not associated with this subdomain")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:1234", "127.0.0.1", "127.0.0.1:9991", "[::1]:80", "LOCALHOST.", "chat.localhost",
     "[::ffff:127.0.0.1]:80"],
)  # fmt: skip
async def test_the_loopback_names_of_this_machine_are_one_host(server: InProcessServer, host: str) -> None:
    hamlet = await server.add_person("hamlet")
    assert (await status_and_message(server, {**basic(*hamlet.auth), "Host": host}))[0] == 200


@pytest.mark.parametrize(
    "host", ["", "a b", "[::1", "exa mple", "a/b", "host:port", "host:123456", "[oops]", "é.example"]
)
async def test_an_invalid_host_is_answered_with_a_plain_page(server: InProcessServer, host: str) -> None:
    response = await server.client().get("/api/v1/users/me", headers={b"Host": host.encode()})
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/html")


async def test_a_host_with_non_ascii_letters_is_recognised_by_its_ascii_form(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    async with server.context.change(None) as change:
        realm = await realms.find(change.connection)
        assert realm is not None
        await realms.save(change.connection, replace(realm, site="https://bücher.example"))
    headers = {**basic(*hamlet.auth), "Host": "xn--bcher-kva.example"}
    assert (await status_and_message(server, headers))[0] == 200


async def test_the_email_is_recognised_in_any_case(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    assert (await status_and_message(server, basic("HAMLET@EXAMPLE.COM", hamlet.api_key)))[0] == 200


async def test_a_key_of_another_account_is_refused_like_an_unknown_key(server: InProcessServer) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    stranger = api_key_format.generate().reveal()
    for email, api_key in ((othello.email, hamlet.api_key), (hamlet.email, stranger)):
        assert await status_and_message(server, basic(email, api_key)) == (401, "Invalid API key")


async def test_an_expired_key_is_refused_from_the_second_of_its_end(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    now = server.context.clock()
    for expires_at, status in ((now + timedelta(hours=1), 200), (now, 401)):
        async with server.context.change(None) as change:
            await change.connection.execute(update(api_keys).values(expires_at=expires_at))
        assert (await status_and_message(server, basic(*hamlet.auth)))[0] == status


async def test_an_incoming_webhook_bot_may_post_messages_and_nothing_else(server: InProcessServer) -> None:
    hook = await server.add_bot(await server.add_person("hamlet"), "hook", BotType.INCOMING_WEBHOOK)
    message = "This API is not available to incoming webhook bots."
    assert await status_and_message(server, basic(*hook.auth)) == (401, message)
    response = await server.client().post("/api/v1/users/me/api_key/regenerate", auth=hook.auth)
    assert response.json()["msg"] == message
    posted = await server.client().post("/api/v1/messages", auth=hook.auth)
    assert posted.json()["msg"] != message


async def test_a_browser_without_a_session_is_redirected_to_sign_in(server: InProcessServer) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    response = await server.client().get("/json/users/me", headers=browser)
    assert (response.status_code, response.headers["location"]) == (302, "/login/?next=/json/users/me")
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5", "text/html;q=0"):
        response = await server.client().get("/json/users/me", headers={"Accept": accept})
        assert (response.status_code, response.json()["msg"]) == (401, NOT_LOGGED_IN)


async def test_a_change_by_session_needs_the_token_that_belongs_to_it(server: InProcessServer) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    browser, other = await server.signed_in(hamlet), await server.signed_in(othello)
    right = browser.headers["X-CSRFToken"]
    for token, reason in (
        ("", "CSRF token missing."),
        ("wrong", "CSRF token from POST incorrect."),
        (other.headers["X-CSRFToken"], "CSRF token from POST incorrect."),
    ):
        response = await browser.post("/json/register_client_device", headers={"X-CSRFToken": token})
        assert response.status_code == 403
        assert response.json() == {
            "result": "error",
            "msg": f"CSRF error: {reason}",
            "reason": reason,
            "code": "CSRF_FAILED",
        }
    del browser.headers["X-CSRFToken"]
    by_field = await browser.post("/json/register_client_device", data={"csrfmiddlewaretoken": right})
    assert by_field.json().keys() == {"result", "msg", "device_id"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Referer": "https://evil.example/page"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Referer": "http://localhost]/"},
    ],
)
async def test_a_change_that_another_site_sent_is_refused_even_with_the_token(
    server: InProcessServer, headers: dict[str, str]
) -> None:
    browser = await server.signed_in(await server.add_person("hamlet"))
    response = await browser.post("/json/register_client_device", headers=headers)
    assert response.status_code == 403


async def test_reading_by_session_needs_no_token(server: InProcessServer) -> None:
    browser = await server.signed_in(await server.add_person("hamlet"))
    del browser.headers["X-CSRFToken"]
    assert (await browser.get("/json/users/me")).status_code == 200


async def test_the_cookie_of_an_ended_session_is_deleted(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    browser = await server.signed_in(hamlet)
    async with server.context.change(None) as change:
        await change.connection.exec_driver_sql("DELETE FROM sessions")
    response = await browser.get("/json/users/me")
    assert response.status_code == 401
    assert response.headers["set-cookie"].startswith('sessionid=""; Max-Age=0')


async def test_a_forged_client_address_counts_only_from_a_trusted_proxy(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    await server.client().post(
        "/api/v1/users/me/api_key/regenerate", auth=hamlet.auth, headers={"X-Forwarded-For": "203.0.113.9"}
    )
    async with server.context.reading() as connection:
        rows = await connection.exec_driver_sql("SELECT address FROM audit WHERE event = 'api_key:regenerated'")
        assert [row.address for row in rows] == ["198.51.100.7"]


async def test_the_session_cookie_is_tied_to_https_if_that_is_used(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    browser = await server.signed_in(hamlet)
    token = browser.cookies["sessionid"]
    over_https = server.client(site=SITE.replace("http:", "https:"))
    over_https.cookies.set("sessionid", token)
    assert (await over_https.get("/json/users/me")).status_code == 401
    over_https.cookies.set("__Host-sessionid", token)
    response = await over_https.get("/json/users/me")
    assert response.status_code == 200
    assert response.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_full_disk_keeps_neither_keys_nor_sessions_from_reading(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    browser, client = await server.signed_in(hamlet), server.client()
    async with server.context.change(None) as change:
        await change.connection.execute(update(sessions).values(last_seen_at=change.now - timedelta(hours=1)))
    assert (await client.get("/api/v1/users/me", auth=hamlet.auth)).status_code == 200
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        by_session = await browser.get("/json/users/me")
        by_key = await client.get("/api/v1/users/me", auth=hamlet.auth)
        changing = await client.post("/api/v1/users/me/api_key/regenerate", auth=hamlet.auth)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (by_session.status_code, by_key.status_code, changing.status_code) == (200, 200, 503)
    assert (await client.get("/api/v1/users/me", auth=hamlet.auth)).status_code == 200
    assert (await browser.get("/json/users/me")).status_code == 200
