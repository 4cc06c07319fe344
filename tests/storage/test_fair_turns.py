"""Whoever asks for many turns at once waits for themselves: everybody else gets the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.domain.fair_turns import FairTurns
from keybearer.server.storage.engine import Database

ASKED = st.lists(st.tuples(st.sampled_from([1, 2, 3, "198.51.100.7", None]), st.booleans()), max_size=30)
"""Who asks, and whether they stop waiting."""


async def served(most: int, asked: Sequence[tuple[int | str | None, bool]]) -> list[tuple[int | str | None, int]]:
    """The order in which tasks get their turns, and how many turns are left to take afterwards."""
    turns, order = FairTurns(most), []

    async def task(whose: int | str | None, number: int) -> None:
        await turns.take(whose)
        order.append((whose, number))
        await asyncio.sleep(0)
        turns.give_back()

    for _ in range(most):
        await turns.take(None)
    tasks = [asyncio.create_task(task(whose, number)) for number, (whose, _) in enumerate(asked)]
    await asyncio.sleep(0)
    for each, (_, is_cancelled) in zip(tasks, asked, strict=True):
        if is_cancelled:
            each.cancel()
    for _ in range(most):
        turns.give_back()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert turns.in_use == 0
    return order


@given(ASKED, st.integers(1, 4))
def test_everybody_who_waits_gets_a_turn_in_rounds_and_no_turn_is_lost(
    asked: Sequence[tuple[int | str | None, bool]], most: int
) -> None:
    order = asyncio.run(served(most, asked))

    stayed = [(whose, number) for number, (whose, is_cancelled) in enumerate(asked) if not is_cancelled]
    assert sorted(order, key=lambda each: each[1]) == stayed
    for whose in {each for each, _ in order}:
        own = [number for each, number in order if each == whose]
        assert own == sorted(own)


@given(st.lists(st.integers(1, 4), max_size=30))
def test_nobody_gets_a_second_turn_before_everybody_who_waits_had_one(asked: Sequence[int]) -> None:
    order = [whose for whose, _ in asyncio.run(served(1, [(each, False) for each in asked]))]

    while order:
        round_ = order[: len(set(order))]
        assert len(set(round_)) == len(round_)
        order = order[len(round_) :]


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_transaction_waits_for_one_of_each_person_and_not_for_all_of_one(database: Database, kind: str) -> None:
    begin = database.read if kind == "read" else database.write
    begun: list[str] = []

    async def work(whose: int, name: str) -> None:
        async with begin(whose):
            begun.append(name)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        for number in range(40):
            tasks.create_task(work(1, f"one of many {number}"))
        await asyncio.sleep(0.005)
        tasks.create_task(work(2, "the only one"))
    assert begun.index("the only one") < 20  # twice as many as may run at the same time


async def test_a_cancelled_waiting_transaction_leaves_its_turn_to_the_next(database: Database) -> None:
    async with asyncio.TaskGroup() as tasks:
        go_on = asyncio.Event()

        async def hold() -> None:
            async with database.write(1):
                await go_on.wait()

        async def write(whose: int) -> None:
            async with database.write(whose):
                pass

        for _ in range(10):  # all that PostgreSQL has, and one after another on SQLite
            tasks.create_task(hold())
        waiting = [tasks.create_task(write(whose)) for whose in (2, 2, 3)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
        go_on.set()
        await asyncio.wait(waiting, timeout=30)
        assert [each.cancelled() for each in waiting] == [True, False, False]
        assert all(each.done() for each in waiting)
