"""Rotating the secrets while several machines serve, each with its own copy of the secrets file."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from keybearer.server.domain.accounts import Role
from keybearer.server.services import server_data
from keybearer.server.services.context import Context
from keybearer.server.services.server_data import opened
from tests.asgi import ask, by_key
from tests.in_process import InProcessServer, Known, prepared, serving
from tests.server.named_keys import POSSESSION, issued


@asynccontextmanager
async def two_machines(tmp_path: Path, database_url: str) -> AsyncIterator[tuple[InProcessServer, InProcessServer]]:
    """Two servers on one database, whose secrets files are copies."""
    one = prepared(tmp_path / "one", database_url=database_url, api_limit="100000/minute")
    other = prepared(tmp_path / "other", database_url=database_url, api_limit="100000/minute")
    shutil.copy(one.secrets_file, other.secrets_file)
    async with serving(one) as first, serving(other) as second:
        yield first, second


async def act_as_operator(server: InProcessServer, step: Callable[[Context], Awaitable[object]]) -> None:
    """Act as the operator does, next to the server."""
    async with opened(server.settings) as context:
        await step(context)


async def accepts(server: InProcessServer, who: Known) -> bool:
    return (await ask(server.app, "GET", "/api/v1/users/me", by_key(who.auth))).status == 200


async def new_key(server: InProcessServer, who: Known) -> Known:
    answer = await ask(server.app, "POST", "/api/v1/users/me/api_key/regenerate", by_key(who.auth))
    return dataclasses.replace(who, api_key=json.loads(answer.text)["api_key"])


async def test_no_key_is_refused_on_any_machine_while_a_prepared_secret_takes_over(
    tmp_path: Path, sqlite_url: str
) -> None:
    async with two_machines(tmp_path, sqlite_url) as (first, second):
        people = [await first.add_person(name) for name in ("hamlet", "ophelia")]
        refused: list[str] = []
        done = asyncio.Event()

        async def call_on_and_on() -> None:
            while not done.is_set():
                for server in (first, second):
                    answers = [await accepts(server, who) for who in people]
                    refused.extend(who.email for who, good in zip(people, answers, strict=True) if not good)
                await asyncio.sleep(0)

        calling = asyncio.create_task(call_on_and_on())
        await act_as_operator(first, server_data.prepare_rotation)
        shutil.copy(first.settings.secrets_file, second.settings.secrets_file)
        await act_as_operator(first, server_data.rotate_secrets)
        # The second machine does not have the file yet, and both continue to issue keys.
        issued = [await first.add_person("laertes"), await second.add_person("polonius")]
        issued += [await new_key(second, issued[0]), await new_key(first, issued[1])]
        shutil.copy(first.settings.secrets_file, second.settings.secrets_file)
        issued[2] = await new_key(second, issued[2])
        done.set()
        await calling
        assert refused == []
        for server in (first, second):
            assert [await accepts(server, who) for who in issued] == [False, False, True, True]
        assert second.context.ring.refresh() or second.context.ring.current_id == first.context.ring.current_id


async def test_a_key_is_revoked_by_possession_right_after_a_rotation(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    await act_as_operator(server, server_data.rotate_secrets)
    # The server has not looked at the new file yet.
    answer = await server.client().post(POSSESSION, data={"api_key": hamlet.api_key})
    assert answer.status_code == 200
    assert not await accepts(server, hamlet)


async def test_a_new_named_key_is_downloaded_right_after_a_rotation(tmp_path: Path, sqlite_url: str) -> None:
    async with two_machines(tmp_path, sqlite_url) as (first, second):
        hamlet = await first.add_person("hamlet")
        await act_as_operator(first, server_data.rotate_secrets)
        shutil.copy(first.settings.secrets_file, second.settings.secrets_file)
        key = await issued(first, hamlet.auth)
        browser = await second.signed_in(hamlet)
        answer = await browser.post("/zuliprc/", data={"api_key": key.api_key})
        assert f"key={key.api_key}" in answer.text


async def test_links_of_one_machine_are_known_on_another_right_after_a_rotation(
    tmp_path: Path, sqlite_url: str
) -> None:
    async with two_machines(tmp_path, sqlite_url) as (first, second):
        olive = await first.add_person("olive", role=Role.ADMINISTRATOR)
        here, there = first.client(headers=by_key(olive.auth)), second.client(headers=by_key(olive.auth))
        sent = await here.post("/api/v1/user_uploads", files={"file": ("notes.txt", b"words")})
        await act_as_operator(first, server_data.rotate_secrets)
        shutil.copy(first.settings.secrets_file, second.settings.secrets_file)
        # Neither server has looked at the new file yet.
        link = (await here.get(f"/api/v1{sent.json()['url']}")).json()["url"]
        invitation = (await here.post("/api/v1/invites/multiuse")).json()["invite_link"]
        assert (await second.client().get(link)).content == b"words"
        listed = (await there.get("/api/v1/invites")).json()["invites"]
        assert [each["link_url"] for each in listed] == [invitation]
