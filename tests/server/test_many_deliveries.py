"""Many polls may get many events at once."""

from __future__ import annotations

from datetime import timedelta

from keybearer.server.domain.event_log import Event, StoredEvent, Subject
from keybearer.server.domain.event_queues import Queue
from keybearer.server.services.event_delivery import WireEvent, requested_of, visible
from tests.in_process import InProcessServer
from tests.steps import most_steps_at_once

MOST_STEPS = 60_000
"""Calls of functions between two turns of other work: dozens for each of 500 events."""

POLLS, EVENTS = 10, 500


async def test_many_events_for_several_polls_leave_turns_to_others(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    event = Event("realm_bot", {"type": "realm_bot", "op": "update"}, Subject(bot_id=bot.id), None)
    stored = [StoredEvent(number, event, 100) for number in range(1, EVENTS + 1)]
    now = server.context.clock()
    queues = [Queue(f"queue {number}", hamlet.id, 0, 0, now, timedelta(minutes=1)) for number in range(POLLS)]
    asked = [await requested_of(queue, stored) for queue in queues]

    async def delivered() -> list[list[WireEvent]]:
        async with server.context.reading() as connection:
            return await visible(connection, server.context.ring, asked)

    told, most = await most_steps_at_once(delivered())
    assert [len(each) for each in told] == [EVENTS] * POLLS
    assert most < MOST_STEPS
