"""Signing in: many at once succeed, guessing is limited, nobody can lock out another, and keys never wait for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import cast

import httpx2
import pytest

from keybearer.secret import Secret
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.attempts import WINDOWS, AttemptKind
from keybearer.server.domain.errors import Overloaded, Unauthenticated
from keybearer.server.services import hashing, sessions
from keybearer.server.services.context import Context
from keybearer.server.services.hashing import Hasher
from keybearer.server.storage.engine import Database
from tests.in_process import ADDRESS, PASSWORD, InProcessServer, Known
from tests.watched_database import WatchedDatabase

ELSEWHERE = "203.0.113.9"
ACCOUNTS = WINDOWS[AttemptKind.ACCOUNTS_OF_ADDRESS][0].most


async def fetch(server: InProcessServer, email: str, password: str, address: str = ADDRESS) -> httpx2.Response:
    fields = {"username": email, "password": password}
    return await server.client(address=address).post("/api/v1/fetch_api_key", data=fields)


async def sign_in(server: InProcessServer, who: Known) -> int:
    client = server.client(headers={"Cookie": "csrftoken=one-of-ours", "X-CSRFToken": "one-of-ours"})
    fields = {"username": who.email, "password": PASSWORD}
    return (await client.post("/login/", data=fields)).status_code


async def spray(server: InProcessServer, accounts: int, *, address: str = ADDRESS) -> None:
    for number in range(accounts):
        answer = await fetch(server, f"nobody{number}@example.com", "wrong", address)
        assert answer.status_code == 401, number


@pytest.mark.soak
async def test_fifty_correct_passwords_at_once_all_succeed(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    answers = await asyncio.gather(*(fetch(server, hamlet.email, PASSWORD) for _ in range(50)))
    assert Counter(answer.status_code for answer in answers) == {200: 50}


async def test_fifty_sign_ins_by_the_page_at_once_all_succeed(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    statuses = await asyncio.gather(*(sign_in(server, hamlet) for _ in range(50)))
    assert Counter(statuses) == {302: 50}


async def test_an_address_that_failed_for_many_accounts_is_told_to_wait(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    await spray(server, ACCOUNTS)
    limited = await fetch(server, "somebody@example.com", "wrong")
    assert limited.status_code == 429
    assert 0 < float(limited.headers["retry-after"]) <= 1800
    assert (await fetch(server, hamlet.email, PASSWORD)).status_code == 429
    assert (await fetch(server, hamlet.email, PASSWORD, ELSEWHERE)).status_code == 200


async def test_an_account_that_signed_in_from_an_address_is_not_refused_because_of_others_there(
    server: InProcessServer,
) -> None:
    hamlet = await server.add_person("hamlet")
    assert (await fetch(server, hamlet.email, PASSWORD)).status_code == 200
    await spray(server, ACCOUNTS)
    assert (await fetch(server, "somebody@example.com", "wrong")).status_code == 429
    for _ in range(3):
        assert (await fetch(server, hamlet.email, "wrong")).status_code == 401
        assert (await fetch(server, hamlet.email, PASSWORD)).status_code == 200


async def test_failures_from_other_addresses_never_lock_the_owner_out(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    for number in range(10):
        for _ in range(6):
            await fetch(server, hamlet.email, "wrong", f"203.0.113.{number}")
    for address in (ADDRESS, "192.0.2.1"):
        assert (await fetch(server, hamlet.email, PASSWORD, address)).status_code == 200


async def test_the_right_password_of_a_deactivated_account_is_counted_like_a_wrong_one(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    async with server.context.change(None) as change:
        await change.connection.exec_driver_sql(f"UPDATE accounts SET is_active = false WHERE id = {hamlet.id}")  # noqa: S608
    answers = [await fetch(server, hamlet.email, PASSWORD) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    events = [event for event, *_ in await server.events()]
    assert events.count("session:refused") == 5


async def test_password_prompts_of_pages_and_the_wire_count_failures_only(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    browser = await server.signed_in(hamlet)
    right = await asyncio.gather(*(browser.post("/json/fetch_api_key", data={"password": PASSWORD}) for _ in range(12)))
    assert {answer.status_code for answer in right} == {200}
    wrong = [await browser.post("/json/fetch_api_key", data={"password": "wrong"}) for _ in range(6)]
    assert [answer.status_code for answer in wrong] == [400] * 5 + [429]


async def test_sign_ins_beyond_the_queue_are_refused_at_once() -> None:
    hasher = Hasher()
    async with AsyncExitStack() as turns:
        for _ in range(hashing.AT_ONCE):
            await turns.enter_async_context(hasher.turn("192.0.2.1"))

        async def wait(network: str) -> None:
            async with hasher.turn(network):
                pass

        def begin(network: str, number: int) -> list[asyncio.Task[None]]:
            return [asyncio.create_task(wait(network)) for _ in range(number)]

        waiting = begin("192.0.2.1", hashing.MOST_WAITING_OF_ONE)
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await wait("192.0.2.1")
        assert refused.value.retry_after > 0
        waiting += begin("192.0.2.2", hashing.MOST_WAITING - hashing.MOST_WAITING_OF_ONE)
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await wait("192.0.2.3")
    await asyncio.gather(*waiting)
    await wait("192.0.2.1")


@pytest.mark.soak
async def test_a_sign_in_beyond_the_queue_is_answered_503_with_the_time_to_wait(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    many = hashing.MOST_WAITING_OF_ONE + hashing.AT_ONCE + 30
    answers = await asyncio.gather(*(fetch(server, hamlet.email, PASSWORD) for _ in range(many)))
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() == {200, 503}
    busy = next(answer for answer in answers if answer.status_code == 503)
    assert int(busy.headers["retry-after"]) > 0
    assert busy.json()["code"] == "SERVICE_UNAVAILABLE"


async def test_a_key_is_checked_while_many_passwords_wait(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    signing_in = [asyncio.create_task(fetch(server, hamlet.email, PASSWORD)) for _ in range(15)]
    await asyncio.sleep(0.05)
    for _ in range(10):
        assert (await server.client().get("/api/v1/users/me", auth=hamlet.auth)).status_code == 200
    assert not all(task.done() for task in signing_in)
    assert {answer.status_code for answer in await asyncio.gather(*signing_in)} == {200}


async def test_what_a_stranger_makes_the_server_read_takes_turns_of_their_network(
    server_on_each: InProcessServer,
) -> None:
    server, origin = server_on_each, RequestOrigin(ELSEWHERE, "test")
    hamlet = await server.add_person("hamlet")
    async with server.context.change(Caller(hamlet.account)) as change:
        token = (await sessions.open_session(change, hamlet.account)).token
    database = WatchedDatabase(server.context.database, "accounts")
    context = Context(server.settings, cast("Database", database), server.context.ring)
    database.task = asyncio.current_task()
    assert await sessions.find_visitor(context, token, origin) is not None
    assert await sessions.find_visitor(context, Secret("wrong"), origin) is None
    with pytest.raises(Unauthenticated):
        await sessions.authenticate(context, hamlet.email, Secret("wrong"), origin)
    assert len(database.readers) >= 5
    assert set(database.readers) == {ELSEWHERE}
