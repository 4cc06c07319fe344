"""Keys of incoming webhooks: which keys open a service's URL, and where the content of the URL is written."""

from __future__ import annotations

import asyncio
import logging

import httpx2
import pytest

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.bots import BotType
from keybearer.server.http.authentication import NOT_OF_WEBHOOK
from keybearer.server.services import api_keys
from keybearer.server.storage.tables import metadata
from tests.asgi import ask, by_key
from tests.in_process import InProcessServer, Known

JSON = "/api/v1/external/json"
CANARY = "stands-only-in-the-address"


async def post(
    server: InProcessServer, path: str = JSON, *, key: str = "", headers: dict[str, str] | None = None
) -> httpx2.Response:
    query = {"api_key": key, "topic": CANARY} if key else {"topic": CANARY}
    return await server.client().post(path, params=query, content=b"{}", headers=headers or {})


async def hook_of(server: InProcessServer, owner: Known) -> Known:
    return await server.add_bot(owner, "hook", BotType.INCOMING_WEBHOOK)


async def everything_kept(server: InProcessServer) -> str:
    async with server.context.reading() as connection:
        rows = [tuple(row) for table in metadata.sorted_tables for row in await connection.execute(table.select())]
    return repr(rows)


async def is_noted(server: InProcessServer) -> None:
    """Wait until a refused key is recorded. No answer waits for that."""
    for _ in range(1000):
        if "call:refused" in [event for event, *_ in await server.events()]:
            return
        await asyncio.sleep(0.02)


async def notified_owners(server: InProcessServer) -> list[tuple[str, str]]:
    """The recipients of mails about a key in a URL."""
    return [(mail.recipient, mail.body) for mail in await server.mails() if "webhook address" in mail.subject]


async def test_a_webhook_bots_key_works_in_the_header_and_in_the_url(server: InProcessServer) -> None:
    bot = await hook_of(server, await server.add_person("hamlet"))
    ways: list[dict[str, str]] = [by_key(bot.auth), {"authorization": f"Bearer {bot.api_key}"}]
    for headers in ways:
        assert (await post(server, headers=headers)).status_code == 200
    assert (await post(server, key=bot.api_key)).status_code == 200


@pytest.mark.parametrize("whose", ["a person", "a generic bot", "an outgoing webhook bot"])
async def test_any_other_live_key_is_refused_and_its_owner_is_notified_once(
    server_on_each: InProcessServer, whose: str
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    kind = BotType.GENERIC if whose == "a generic bot" else BotType.OUTGOING_WEBHOOK
    other = hamlet if whose == "a person" else await server.add_bot(hamlet, "other", kind)
    start = server.context.clock()
    for headers in ({}, {"authorization": f"Bearer {other.api_key}"}):
        key = "" if headers else other.api_key
        answer = await post(server, key=key, headers=headers)
        assert (answer.status_code, answer.json()["msg"]) == (401, NOT_OF_WEBHOOK)
    await is_noted(server)
    ((recipient, body),) = await notified_owners(server)
    assert recipient == hamlet.email
    assert other.api_key not in body
    assert await server.events(since=start) == [("call:refused", None, other.id)]


async def test_a_revoked_key_and_a_missing_key_are_refused(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await hook_of(server, hamlet)
    await api_keys.regenerate_bot(server.context, Caller(hamlet.account), bot.id)
    for key, words in ((bot.api_key, "Invalid API key"), ("x", "Malformed API key"), ("", "Not logged in")):
        answer = await post(server, key=key)
        assert answer.status_code == 401
        assert answer.json()["msg"].startswith(words)
    assert await notified_owners(server) == []


async def test_a_key_in_any_other_url_is_refused(server: InProcessServer) -> None:
    bot = await hook_of(server, await server.add_person("hamlet"))
    answer = await server.client().post("/api/v1/messages", params={"api_key": bot.api_key})
    assert answer.status_code == 401


async def test_no_log_and_no_table_contains_the_query(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await hook_of(server, hamlet)
    with caplog.at_level(logging.DEBUG):
        for key in (hamlet.api_key, "kb" + "x" * 30):
            assert (await post(server, key=key)).status_code == 401
        wrong = await server.client().post(JSON, params={"api_key": bot.api_key, "stream": CANARY}, content=b"{}")
        assert wrong.status_code == 400
        elsewhere = await post(server, "/api/v1/external/github", key=bot.api_key)
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "NOT_AVAILABLE")
        assert (await ask(server.app, "POST", f"/{JSON}?api_key={bot.api_key}", {})).message == "Malformed JSON"
    await is_noted(server)
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name != "httpx2"]
    texts = "".join(logged) + await everything_kept(server)
    for secret in (hamlet.api_key, bot.api_key, CANARY, "api_key="):
        assert secret not in texts
