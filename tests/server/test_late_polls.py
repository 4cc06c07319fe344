"""Polls of clients that are behind what a worker keeps in memory: they get every event, and quiet ones read nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast

import pytest

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, without_flags
from keybearer.server.domain.event_queues import Queue, QueueOptions
from keybearer.server.services import event_queues
from keybearer.server.services.event_hub import EventHub
from keybearer.server.services.event_tail import MOST
from keybearer.server.storage import event_log
from keybearer.server.storage.engine import Database
from tests.in_process import InProcessServer, Known
from tests.watched_database import WatchedDatabase

NOBODY = 0


@pytest.fixture
async def hamlet(server_on_each: InProcessServer) -> Known:
    return await server_on_each.add_person("hamlet")


async def write(server: InProcessServer, recipient_ids: list[int]) -> None:
    """An event for each of these accounts."""
    async with server.context.database.write() as connection:
        events = [Event("alert_words", {"type": "alert_words"}, OPEN_TO_ALL, without_flags([i])) for i in recipient_ids]
        await event_log.append(connection, events)


async def queue_of(server: InProcessServer, who: Known) -> Queue:
    return await event_queues.open_queue(server.context, Caller(who.account), QueueOptions(), timedelta(hours=1))


async def test_a_late_poll_gets_events_that_were_written_and_forgotten_while_it_read_the_log(
    server_on_each: InProcessServer, hamlet: Known
) -> None:
    server = server_on_each
    database = WatchedDatabase(server.context.database, "events")
    hub = EventHub(cast("Database", database), server.context.ring, server.context.clock, heartbeat_every=60)
    queue = await queue_of(server, hamlet)
    await write(server, [NOBODY])
    await hub.open()

    async def write_more_than_is_kept() -> None:
        await write(server, [hamlet.id, *[NOBODY] * (MOST + 10)])
        await hub.catch_up()

    database.meanwhile = write_more_than_is_kept
    poll = asyncio.create_task(hub.poll(Caller(hamlet.account), queue.id, -1, dont_block=True))
    database.task = poll
    assert [told["type"] for told in await poll] == ["alert_words"]
    assert database.meanwhile is None


async def test_a_poll_that_waited_reads_no_event_again_for_its_heartbeat(
    server_on_each: InProcessServer, hamlet: Known
) -> None:
    server = server_on_each
    database = WatchedDatabase(server.context.database, "events")
    hub = EventHub(cast("Database", database), server.context.ring, server.context.clock, heartbeat_every=1)
    queue = await queue_of(server, hamlet)
    await hub.open()
    poll = asyncio.create_task(hub.poll(Caller(hamlet.account), queue.id, -1, dont_block=False))
    while not hub.count_waiting():  # noqa: ASYNC110  nothing tells of one that waits
        await asyncio.sleep(0.01)

    has_read_log = asyncio.Event()

    async def note_reading() -> None:
        has_read_log.set()

    database.task, database.meanwhile = poll, note_reading
    await write(server, [NOBODY] * (MOST + 10))
    await hub.catch_up()
    assert [told["type"] for told in await poll] == ["heartbeat"]
    assert not has_read_log.is_set()


async def test_what_a_poll_reads_takes_turns_of_the_person_behind_it_and_not_of_the_server(
    server_on_each: InProcessServer, hamlet: Known
) -> None:
    server = server_on_each
    bot = await server.add_bot(hamlet, "reader")
    database = WatchedDatabase(server.context.database, "events")
    hub = EventHub(cast("Database", database), server.context.ring, server.context.clock, heartbeat_every=0.1)
    for account in (hamlet, bot):
        queue = await queue_of(server, account)
        await write(server, [NOBODY, account.id])
        await hub.open()
        database.task = asyncio.current_task()
        told = await hub.poll(Caller(account.account), queue.id, -1, dont_block=True)
        assert told
        await hub.poll(Caller(account.account), queue.id, cast("int", told[-1]["id"]), dont_block=False)
        database.task = None
    assert len(database.readers) >= 4
    assert set(database.readers) == {hamlet.id}
