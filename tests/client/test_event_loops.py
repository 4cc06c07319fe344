"""An AsyncClient is not tied to an event loop: it works in one after the other, and in several at once."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from keybearer import AsyncClient, Credentials
from keybearer.errors import ClientClosed
from tests.client.authority import Authority, Serve
from tests.client.authority import credentials as credentials_for
from tests.client.scripted_server import ScriptedServer
from tests.client.zulip_queue import ZulipQueue, message_event


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_client_works_in_consecutive_event_loops_and_leaves_nothing_open(
    server: ScriptedServer, credentials: Credentials, authority: Authority, serve: Serve, scheme: str
) -> None:
    """Warnings are errors in this test run, so an open socket would fail it."""
    if scheme == "https":
        server = serve(authority.server_context())
        credentials = credentials_for(server.site, cert_bundle=authority.bundle)
    client = AsyncClient(credentials)
    for _ in range(3):
        assert asyncio.run(client.get_profile()).user_id == 7
    gc.collect()
    assert len(server.seen) == 3


def test_a_client_works_in_a_second_loop_after_it_was_closed_in_the_first(
    server: ScriptedServer, credentials: Credentials
) -> None:
    client = AsyncClient(credentials)
    queue = server.otherwise = ZulipQueue([message_event(0)], [message_event(0)])

    async def one_event() -> int:
        async with client:
            async for event in client.events():
                return event.id
        raise AssertionError

    assert [asyncio.run(one_event()), asyncio.run(one_event())] == [0, 0]
    assert queue.deleted == ["q1", "q2"]


def test_a_client_works_in_several_event_loops_at_once(server: ScriptedServer, credentials: Credentials) -> None:
    client = AsyncClient(credentials)
    found: list[int] = []

    async def calls() -> None:
        for _ in range(10):
            found.extend(one.user_id for one in await asyncio.gather(client.get_profile(), client.get_profile()))

    threads = [threading.Thread(target=asyncio.run, args=(calls(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [7] * 80


def test_the_end_of_a_loop_closes_the_event_queue_of_an_interrupted_iteration(
    server: ScriptedServer, credentials: Credentials
) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0)])
    client = AsyncClient(credentials)
    kept = []

    async def main() -> None:
        kept.append(client.events())
        assert (await anext(kept[0])).id == 0

    asyncio.run(main())
    assert queue.deleted == ["q1"]


async def test_a_closed_client_makes_calls_but_does_not_listen(
    server: ScriptedServer, credentials: Credentials
) -> None:
    client = AsyncClient(credentials)
    await client.aclose()
    assert (await client.get_profile()).user_id == 7
    with pytest.raises(ClientClosed, match="closed"):
        await anext(client.events())
    with pytest.raises(ClientClosed):
        await client.call_on_each_event(print)
    await client.aclose()
