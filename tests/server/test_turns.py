"""Work that takes long: one job of each person at a time, and a limit on what waits."""

from __future__ import annotations

import asyncio
import gc
from types import ModuleType

import pytest

from keybearer.server.domain.errors import Overloaded
from keybearer.server.services.turns import Turns


async def test_the_jobs_of_one_wait_for_each_other_and_not_for_those_of_others() -> None:
    turns = Turns(most=10, most_of_one=5, at_once=2)
    running: list[str] = []
    most_of_one = 0

    async def job(of: str) -> None:
        nonlocal most_of_one
        async with turns.turn(of):
            running.append(of)
            most_of_one = max(most_of_one, running.count(of))
            if of == "busy":
                await asyncio.sleep(0.01)
            running.remove(of)

    busy = [asyncio.create_task(job("busy")) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.wait_for(job("other"), 5)
    assert not any(each.done() for each in busy)
    await asyncio.gather(*busy)
    assert most_of_one == 1


async def test_more_jobs_than_may_wait_are_refused_and_leave_nothing_behind() -> None:
    turns = Turns(most=3, most_of_one=2)
    is_over = asyncio.Event()

    async def job(of: str) -> None:
        async with turns.turn(of):
            await is_over.wait()

    waiting = [asyncio.create_task(job("a")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await job("a")
    waiting.append(asyncio.create_task(job("b")))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await job("c")
    waiting[1].cancel()
    await asyncio.sleep(0)
    is_over.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    for of in ("a", "a", "b", "c"):
        await job(of)


async def test_only_so_many_jobs_run_at_the_same_time_whoever_they_are_of() -> None:
    turns = Turns(most=10, most_of_one=5, at_once=2)
    is_over = asyncio.Event()
    running: list[int] = []

    async def job(of: int) -> None:
        async with turns.turn(of):
            running.append(of)
            await is_over.wait()

    jobs = [asyncio.create_task(job(of)) for of in range(4)]
    await asyncio.sleep(0.01)
    assert running == [0, 1]
    is_over.set()
    await asyncio.gather(*jobs)
    assert running == [0, 1, 2, 3]


async def test_a_job_that_waits_for_something_else_leaves_its_slot_and_takes_one_again() -> None:
    turns = Turns(most=10, most_of_one=5)
    order: list[str] = []

    async def job(name: str, other_is_over: asyncio.Event, is_over: asyncio.Event) -> None:
        async with turns.turn(name) as slot:
            order.append(name)
            async with slot.left():
                await other_is_over.wait()
            order.append(name)
            is_over.set()

    first, second, stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()
    jobs = [asyncio.create_task(job("a", first, second)), asyncio.create_task(job("b", second, first))]
    cancelled = asyncio.create_task(job("c", asyncio.Event(), asyncio.Event()))
    await asyncio.sleep(0.01)
    assert order == ["a", "b", "c"]
    cancelled.cancel()
    first.set()
    await asyncio.wait_for(asyncio.gather(*jobs), 5)
    assert order == ["a", "b", "c", "a", "b"]
    async with turns.turn("next"):
        waiting = asyncio.create_task(job("d", stopped, stopped))
        await asyncio.sleep(0.01)
        assert "d" not in order
    stopped.set()
    await asyncio.wait_for(waiting, 5)


async def test_a_job_that_takes_too_long_is_stopped_and_the_next_one_runs() -> None:
    turns = Turns(most=10, most_of_one=5, seconds=0.01)
    with pytest.raises(TimeoutError):
        async with turns.turn("a"):
            await asyncio.Event().wait()
    async with turns.turn("a"):
        pass


async def test_nothing_is_kept_about_those_who_were_refused() -> None:
    turns = Turns(most=1, most_of_one=1)
    async with turns.turn("busy"):
        before = tracked_objects(turns)
        for number in range(100):
            with pytest.raises(Overloaded):
                async with turns.turn(f"network {number}"):
                    pass
        assert tracked_objects(turns) == before


def tracked_objects(of: object) -> int:
    """How many objects are reachable from this one, and belong to it."""
    found: dict[int, object] = {}
    waiting = [of]
    while waiting:
        each = waiting.pop()
        if id(each) not in found and not isinstance(each, type | ModuleType):
            found[id(each)] = each
            waiting += gc.get_referents(each)
    return len(found)
