"""A client works after a fork, in the parent and in every child, and they share no connection and no event queue."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable

import pytest

from keybearer import AsyncClient, Client, Credentials
from tests.client.authority import Authority, Serve
from tests.client.authority import credentials as credentials_for
from tests.client.callers import Opener
from tests.client.scripted_server import ScriptedServer, Seen, success
from tests.client.zulip_queue import ZulipQueue, message_event
from tests.store.processes import in_a_child

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

CALLS = 20


def echo(seen: Seen) -> object:
    return success(said=(seen.query or seen.form)["say"])


def say(client: Client, name: str) -> None:
    """Make calls of both kinds. Each gets the answer to its own request."""
    for number in range(CALLS):
        word = f"{name} {number}"
        method = "GET" if number % 2 else "POST"
        assert client.request(method, "echo", {"say": word})["said"] == word


async def say_async(client: AsyncClient, name: str) -> None:
    for number in range(CALLS):
        word = f"{name} {number}"
        assert (await client.request("GET", "echo", {"say": word}))["said"] == word


def in_three_processes(work: Callable[[str], None]) -> None:
    children = [
        multiprocessing.get_context("fork").Process(target=work, args=(f"child {number}",)) for number in range(2)
    ]
    for child in children:
        child.start()
    work("parent")
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_parent_and_children_each_get_their_own_answers(
    server: ScriptedServer, credentials: Credentials, authority: Authority, serve: Serve, scheme: str
) -> None:
    if scheme == "https":
        server = serve(authority.server_context())
        credentials = credentials_for(server.site, cert_bundle=authority.bundle)
    server.otherwise = echo  # type: ignore[assignment]  # it returns a Reply
    with Client(credentials) as client:
        say(client, "before")
        in_three_processes(lambda name: say(client, name))
        say(client, "after")
    assert len(server.seen) == CALLS * 5


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_asynchronous_client_works_in_the_event_loops_of_parent_and_children(
    server: ScriptedServer, credentials: Credentials, authority: Authority, serve: Serve, scheme: str
) -> None:
    if scheme == "https":
        server = serve(authority.server_context())
        credentials = credentials_for(server.site, cert_bundle=authority.bundle)
    server.otherwise = echo  # type: ignore[assignment]  # it returns a Reply
    client = AsyncClient(credentials)
    asyncio.run(say_async(client, "before"))
    in_three_processes(lambda name: asyncio.run(say_async(client, name)))
    asyncio.run(say_async(client, "after"))
    assert len(server.seen) == CALLS * 5


def test_a_fork_during_a_call_in_another_thread_is_safe_for_both_processes(
    server: ScriptedServer, credentials: Credentials
) -> None:
    called, forked = threading.Event(), threading.Event()

    def slow_echo(seen: Seen) -> object:
        if seen.query.get("say") == "slow":
            called.set()
            forked.wait(30)
        return echo(seen)

    server.otherwise = slow_echo  # type: ignore[assignment]  # it returns a Reply
    with Client(credentials) as client:
        say(client, "before")
        answers: list[str] = []
        thread = threading.Thread(target=lambda: answers.append(client.request("GET", "echo", {"say": "slow"})["said"]))
        thread.start()
        assert called.wait(30)
        assert in_a_child(lambda: say(client, "child")) == 0
        forked.set()
        thread.join(30)
        assert answers == ["slow"]
        say(client, "after")


def test_a_child_leaves_the_event_queue_of_its_parent_open_and_can_open_its_own(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    queue = server.otherwise = ZulipQueue(*[[message_event(number)] for number in range(4)])

    def in_the_child() -> None:
        with client.events(["message"]) as own:
            next(own)
        next(events)  # it continues with a queue of the child's own
        client.close()

    with Client(credentials) as client:
        with client.events(["message"]) as events:
            assert next(events).id == 0
            assert in_a_child(in_the_child) == 0
            assert queue.deleted == ["q2", "q3"]
            assert next(events).id == 3
        assert queue.deleted == ["q2", "q3", "q1"]


def test_a_child_that_ends_leaves_the_connection_of_its_parent_open(
    server: ScriptedServer, credentials: Credentials
) -> None:
    with Client(credentials) as client:
        client.get_profile()
        assert in_a_child(client.close) == 0
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        assert client.get_profile().user_id == 7
