"""The polls of a browser's session end with it, as those of a key end with the key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from keybearer.secret import Secret
from keybearer.server.domain.actors import Caller
from keybearer.server.services import passwords, sessions
from tests.in_process import InProcessServer, Known

PATIENCE = 20.0
NEW_PASSWORD = "quite another passphrase 5193"

Ending = Callable[[InProcessServer, Known], Awaitable[object]]


async def sign_out_everywhere(server: InProcessServer, who: Known) -> None:
    await sessions.sign_out_everywhere(server.context, Caller(who.account), besides_this=False)


async def sign_out_one(server: InProcessServer, who: Known) -> None:
    (session,) = await sessions.find_all(server.context, Caller(who.account))
    await sessions.sign_out(server.context, Caller(who.account), session.id)


async def change_password(server: InProcessServer, who: Known) -> None:
    await passwords.change_own(server.context, Caller(who.account), old=Secret(who.password), new=Secret(NEW_PASSWORD))


async def queue_of(client: httpx2.AsyncClient) -> str:
    answer = await client.post("/json/register", data={"event_types": '["message"]'})
    queue_id: str = answer.json()["queue_id"]
    return queue_id


async def waiting_poll(
    server: InProcessServer, who: Known, client: httpx2.AsyncClient, queue_id: str | None = None, *, so_far: int = 0
) -> asyncio.Task[httpx2.Response]:
    """A poll that waits at the server, in addition to the earlier ones."""
    hub = server.app._hub
    assert hub is not None
    query = {"queue_id": queue_id or await queue_of(client), "last_event_id": "-1"}
    poll = asyncio.create_task(client.get("/json/events", params=query, timeout=None))
    while hub.count_polls(who.id) <= so_far and not poll.done():  # noqa: ASYNC110  nothing tells of one that waits
        await asyncio.sleep(0.01)
    return poll


@pytest.fixture
async def hamlet(server: InProcessServer) -> Known:
    return await server.add_person("hamlet")


@pytest.mark.parametrize("end", [sign_out_everywhere, sign_out_one, change_password], ids=lambda end: end.__name__)
async def test_a_poll_ends_as_soon_as_its_session_does(server: InProcessServer, hamlet: Known, end: Ending) -> None:
    poll = await waiting_poll(server, hamlet, await server.signed_in(hamlet))
    await end(server, hamlet)
    answer = await asyncio.wait_for(poll, PATIENCE)
    assert answer.status_code == 401
    assert answer.json()["msg"] == "Not logged in: API authentication or user session required"


async def test_the_poll_of_a_session_that_stays_continues(server: InProcessServer, hamlet: Known) -> None:
    staying, leaving = await server.signed_in(hamlet), await server.signed_in(hamlet)
    poll = await waiting_poll(server, hamlet, staying)
    kept = min(session.id for session in await sessions.find_all(server.context, Caller(hamlet.account)))
    assert (await leaving.post("/json/register", data={"event_types": "[]"})).status_code == 200
    await sessions.sign_out_everywhere(server.context, Caller(hamlet.account, session_id=kept))
    assert (await leaving.get("/json/users/me")).status_code == 401
    await server.client().post(
        "/api/v1/messages", auth=hamlet.auth, data={"type": "direct", "to": f"[{hamlet.id}]", "content": "still there?"}
    )
    answer = (await asyncio.wait_for(poll, PATIENCE)).json()
    assert answer["events"][0]["message"]["content"] == "still there?"


async def test_a_later_poll_of_a_queue_ends_the_earlier_one(server: InProcessServer, hamlet: Known) -> None:
    client = await server.signed_in(hamlet)
    queue_id = await queue_of(client)
    other = await waiting_poll(server, hamlet, client)
    earlier = await waiting_poll(server, hamlet, client, queue_id, so_far=1)
    later = asyncio.create_task(
        client.get("/json/events", params={"queue_id": queue_id, "last_event_id": "-1"}, timeout=None)
    )
    answer = await asyncio.wait_for(earlier, PATIENCE)
    assert (answer.status_code, answer.json()["events"]) == (200, [])
    assert not other.done()
    assert not later.done()
    server.app.end_polls()
    await asyncio.wait_for(asyncio.gather(other, later), PATIENCE)


async def test_polls_leave_connections_to_other_requests(server: InProcessServer, hamlet: Known) -> None:
    hub = server.app._hub
    assert hub is not None
    hub.most_polls = 2
    client = await server.signed_in(hamlet)
    queues = [await queue_of(client) for _ in range(2)]
    polls = [await waiting_poll(server, hamlet, client, queue, so_far=number) for number, queue in enumerate(queues)]
    refused = await asyncio.wait_for(await waiting_poll(server, hamlet, client, so_far=2), PATIENCE)
    assert (refused.status_code, refused.headers["retry-after"], refused.json()["code"]) == (
        503,
        "5",
        "SERVICE_UNAVAILABLE",
    )
    assert (await client.get("/json/users/me")).status_code == 200
    assert not any(poll.done() for poll in polls)
    server.app.end_polls()
    assert {answer.status_code for answer in await asyncio.gather(*polls)} == {200}
