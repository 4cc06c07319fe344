"""A worker keeps the newest events in memory: not too many, not too long, and not for long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, StoredEvent
from keybearer.server.services.event_tail import MOST, MOST_TEXT, SECONDS, EventTail

BATCHES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, SECONDS - 1, SECONDS + 1]),
        st.lists(st.sampled_from([10, MOST_TEXT // 3, MOST_TEXT + 1]), max_size=5),
    ),
    max_size=8,
)
"""For each batch: the seconds before it, and the sizes of its events."""


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def event(number: int, size: int = 10) -> StoredEvent:
    return StoredEvent(number, Event("message", {}, OPEN_TO_ALL, None), size)


@given(BATCHES)
def test_every_event_after_its_position_is_there_and_what_is_kept_is_short_and_new(
    batches: list[tuple[float, list[int]]],
) -> None:
    clock = Clock()
    tail = EventTail(clock)
    tail.begin(100)
    added: list[tuple[StoredEvent, float]] = []
    for wait, sizes in batches:
        clock.now += wait
        fresh = [event(101 + len(added) + place, size) for place, size in enumerate(sizes)]
        added += [(each, clock.now) for each in fresh]
        tail.add(fresh)

        kept = tail.since(tail.after)
        assert kept == [each for each, _ in added if each.id > tail.after]
        assert sum(each.size for each in kept) <= MOST_TEXT
        assert all(clock.now - at <= SECONDS for each, at in added if each in kept)
        for position in range(tail.after, 101 + len(added)):
            assert [each.id for each in tail.since(position)] == list(range(position + 1, 101 + len(added)))


def test_there_are_never_too_many_events() -> None:
    tail = EventTail()
    tail.begin(0)
    for first in range(1, 3 * MOST, 300):
        tail.add([event(number) for number in range(first, first + 300)])
        assert len(tail.since(0)) <= MOST
    tail.begin(7000)
    assert (tail.after, tail.since(0)) == (7000, [])
