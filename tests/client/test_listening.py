"""Listening continues after temporary errors and ends for others. Each test runs with both clients."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from keybearer import AsyncClient, Client, Credentials
from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.models.event_queues import Event
from keybearer.client.models.messages import Message
from keybearer.errors import APIError, InvalidAPIKey, Unreachable
from tests.client.callers import Opener
from tests.client.scripted_server import Reply, ScriptedServer, Seen, error, html, success
from tests.client.zulip_queue import LOST, ZulipQueue, heartbeat, message_event


class Stop(Exception):
    """The exception with which callbacks in these tests end the loop."""


def test_events_arrive_in_order_without_heartbeats(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0), heartbeat(1)], [], [message_event(2)])
    events = open_client(credentials).take_events(2, ["message"])
    assert [event.id for event in events] == [0, 2]
    assert [event["message"]["content"] for event in events] == ["hello", "hello"]
    assert [poll["last_event_id"] for poll in queue.polled] == ["-1", "1", "1"]


def test_only_the_events_to_listen_to_are_requested(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0)])
    open_client(credentials).take_events(1, ["message"], [["channel", "general"]], all_public_streams=True)
    assert queue.registrations == [
        {"event_types": '["message"]', "narrow": '[["channel","general"]]', "all_public_streams": "true"}
    ]


def test_entering_the_iterator_opens_the_queue_and_leaving_closes_it(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    queue = server.otherwise = ZulipQueue()
    open_client(credentials).take_events(0)
    assert (len(queue.registrations), queue.polled, queue.deleted) == (1, [], ["q1"])


def test_a_lost_queue_is_replaced_with_a_warning(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0)], LOST, [message_event(0, "after")])
    with caplog.at_level(logging.WARNING, "keybearer.client"):
        events = open_client(credentials).take_events(2, ["message"])
    assert [event["message"]["content"] for event in events] == ["hello", "after"]
    assert queue.registrations == [{"event_types": '["message"]'}] * 2
    assert queue.polled[-1] == {"queue_id": "q2", "last_event_id": "-1"}
    assert "queue is gone" in caplog.text


def test_a_refused_key_ends_the_loop_at_once(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0)])
    with pytest.raises(InvalidAPIKey):
        open_client(credentials).take_events(2)
    assert len(queue.polled) == 2


@pytest.mark.parametrize(
    "broken", [html(502), Reply(hang_up=True), error(429, "x", "RATE_LIMIT_HIT", **{"retry-after": 0})]
)
def test_listening_survives_temporary_errors_and_loses_no_event(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, broken: Reply
) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0)], broken, [message_event(0), message_event(1)])
    client = open_client(credentials, retry=RetryPolicy(attempts=1))
    assert [event.id for event in client.take_events(2)] == [0, 1]
    assert [poll["last_event_id"] for poll in queue.polled] == ["-1", "0", "0"]


def test_an_error_that_waiting_does_not_fix_ends_the_loop(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = ZulipQueue(error(400, "Invalid last_event_id"))
    with pytest.raises(APIError, match="last_event_id"):
        open_client(credentials).take_events(1)


def test_a_failed_first_registration_is_raised_at_once(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = Reply(hang_up=True)
    with pytest.raises(Unreachable):
        open_client(credentials).take_events(1)
    assert len(server.seen) == 1


def test_the_callback_gets_each_message(open_client: Opener, server: ScriptedServer, credentials: Credentials) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0, "one"), message_event(1, "two")])
    got: list[Message] = []

    def callback(message: Message) -> None:
        got.append(message)
        if len(got) == 2:
            raise Stop

    with pytest.raises(Stop):
        open_client(credentials).call_on_each_message(callback)
    assert [(one.content, one.topic, one["sender_email"]) for one in got] == [
        ("one", "lunch", "iago@example.com"),
        ("two", "lunch", "iago@example.com"),
    ]
    assert queue.registrations == [{"event_types": '["message"]'}]
    assert queue.deleted == ["q1"]


async def test_a_callback_may_be_asynchronous(server: ScriptedServer, credentials: Credentials) -> None:
    server.otherwise = ZulipQueue([message_event(0)])
    got: list[Event] = []

    async def callback(event: Event) -> None:
        got.append(event)
        raise Stop

    async with AsyncClient(credentials) as client:
        with pytest.raises(Stop):
            await client.call_on_each_event(callback)
    assert [one.type for one in got] == ["message"]


def test_leaving_the_loop_by_break_closes_the_queue(server: ScriptedServer, credentials: Credentials) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0)])
    with Client(credentials) as client:
        for _ in client.events():
            break
    assert queue.deleted == ["q1"]


async def test_leaving_the_asynchronous_loop_by_break_closes_the_queue_with_the_client(
    server: ScriptedServer, credentials: Credentials
) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0)])
    async with AsyncClient(credentials) as client:
        async for _ in client.events():
            break
    assert queue.deleted == ["q1"]


async def test_a_listening_task_can_be_cancelled(server: ScriptedServer, credentials: Credentials) -> None:
    polled = asyncio.Event()
    loop = asyncio.get_running_loop()
    release = threading.Event()

    def hang(_: Seen) -> Reply:
        loop.call_soon_threadsafe(polled.set)
        release.wait(20)
        return success(events=[])

    queue = server.otherwise = ZulipQueue(hang)
    async with AsyncClient(credentials) as client:
        task = asyncio.create_task(client.call_on_each_event(print))
        await polled.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert queue.deleted == ["q1"]
    release.set()
