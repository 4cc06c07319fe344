"""Work that takes long: one job of each person at a time, and a limit on what waits."""

from __future__ import annotations

import asyncio

import pytest

from keybearer.server.domain.errors import Overloaded
from keybearer.server.services.turns import Turns


async def test_the_jobs_of_one_wait_for_each_other_and_not_for_those_of_others() -> None:
    turns = Turns(most=10, most_of_one=5)
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
