"""Polls of clients that are behind what a worker keeps in memory: they get every event, and quiet ones read nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, without_flags
from keybearer.server.domain.event_queues import Queue, QueueOptions
from keybearer.server.domain.fair_turns import Whose
from keybearer.server.services import event_queues
from keybearer.server.services.event_hub import EventHub
from keybearer.server.services.event_tail import MOST
from keybearer.server.storage import event_log
from keybearer.server.storage.engine import Database
from tests.in_process import InProcessServer, Known

NOBODY = 0


class WatchedDatabase:
    """A database that does something at the end of the first transaction which reads the log for a poll."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.write = database.write
        self.poll: asyncio.Task[Any] | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def read(self, whose: Whose = None) -> AsyncIterator[AsyncConnection]:
        async with self._database.read(whose) as connection:
            reads_log = False

            def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
                nonlocal reads_log
                reads_log |= asyncio.current_task() is self.poll and "FROM events" in statement

            sqlalchemy_event.listen(Engine, "before_cursor_execute", note)
            try:
                yield connection
            finally:
                sqlalchemy_event.remove(Engine, "before_cursor_execute", note)
            if reads_log and self.meanwhile is not None:
                meanwhile, self.meanwhile = self.meanwhile, None
                await meanwhile()


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
    database = WatchedDatabase(server.context.database)
    hub = EventHub(cast("Database", database), server.context.ring, server.context.clock, heartbeat_every=60)
    queue = await queue_of(server, hamlet)
    await write(server, [NOBODY])
    await hub.open()

    async def write_more_than_is_kept() -> None:
        await write(server, [hamlet.id, *[NOBODY] * (MOST + 10)])
        database.poll = None
        await hub.catch_up()

    database.meanwhile = write_more_than_is_kept
    poll = asyncio.create_task(hub.poll(Caller(hamlet.account), queue.id, -1, dont_block=True))
    database.poll = poll
    assert [told["type"] for told in await poll] == ["alert_words"]
    assert database.meanwhile is None


async def test_a_poll_that_waited_reads_no_event_again_for_its_heartbeat(
    server_on_each: InProcessServer, hamlet: Known
) -> None:
    server = server_on_each
    database = WatchedDatabase(server.context.database)
    hub = EventHub(cast("Database", database), server.context.ring, server.context.clock, heartbeat_every=1)
    queue = await queue_of(server, hamlet)
    await hub.open()
    poll = asyncio.create_task(hub.poll(Caller(hamlet.account), queue.id, -1, dont_block=False))
    while not hub.count_waiting():  # noqa: ASYNC110  nothing tells of one that waits
        await asyncio.sleep(0.01)

    has_read_log = asyncio.Event()

    async def note_reading() -> None:
        has_read_log.set()

    database.poll, database.meanwhile = poll, note_reading
    await write(server, [NOBODY] * (MOST + 10))
    await hub.catch_up()
    assert [told["type"] for told in await poll] == ["heartbeat"]
    assert not has_read_log.is_set()
