"""Many polls may get many events at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, StoredEvent, Subject, access_changed
from keybearer.server.domain.event_queues import Addressees, Queue, QueueOptions, for_queue
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


ACCOUNTS = st.integers(min_value=1, max_value=4)
TYPES = st.sampled_from(["message", "realm_user", "subscription", "typing"])


@st.composite
def stored_events(draw: st.DrawFn) -> list[StoredEvent]:
    """A few events: to everybody, to some accounts, or about the access of one."""
    events = []
    for number in range(1, draw(st.integers(min_value=1, max_value=4)) + 1):
        kind = draw(TYPES)
        recipients = draw(st.dictionaries(ACCOUNTS, st.just(()), max_size=3))
        is_open = kind != "message" and draw(st.booleans())
        fields = {
            "type": kind,
            "is_public": draw(st.booleans()),
            "message": {"type": "stream", "subject": "t"},
            "content": "x",
        }
        event = Event(kind, {**fields, "rendered": "x"}, OPEN_TO_ALL, None if is_open else recipients)
        events.append(StoredEvent(number, draw(st.just(event) | ACCOUNTS.map(access_changed))))
    return events


@given(stored_events(), ACCOUNTS, st.none() | st.lists(TYPES, max_size=3), st.booleans())
def test_no_poll_is_passed_over_that_gets_an_event_or_must_check_its_access(
    stored: list[StoredEvent], account_id: int, types: list[str] | None, all_public: bool
) -> None:
    options = QueueOptions(None if types is None else tuple(types), all_public_streams=all_public)
    queue = Queue("queue", account_id, 0, 0, datetime.now(UTC), timedelta(minutes=1), options)
    concerns = any(for_queue(each, queue) is not None or each.ends_polls_of(account_id) for each in stored)
    assert Addressees(stored).may_include(queue) or not concerns


async def test_a_poll_that_gets_nothing_of_many_events_takes_no_steps_for_each(server: InProcessServer) -> None:
    hamlet, ophelia = await server.add_person("hamlet"), await server.add_person("ophelia")
    to_ophelia = Event("realm_user", {"type": "realm_user"}, OPEN_TO_ALL, {ophelia.id: ()})
    now = server.context.clock()
    queues = [Queue(f"queue {number}", hamlet.id, 0, 0, now, timedelta(minutes=1)) for number in range(EVENTS)]

    async def passed_over(events: int) -> list[Queue]:
        addressees = Addressees([StoredEvent(number, to_ophelia) for number in range(1, events + 1)])
        return [queue for queue in queues if addressees.may_include(queue)]

    found, few = await most_steps_at_once(passed_over(1))
    _, many = await most_steps_at_once(passed_over(EVENTS))
    assert not found
    assert many - few < 5 * EVENTS
