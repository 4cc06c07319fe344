"""The event loop of a worker runs what threads pass to it, whether it sleeps or not."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator

import pytest

from keybearer.server.event_loop import WorkerLoop

THREADS, CALLS = 4, 5_000
WITHIN = 60


@pytest.fixture
def loop() -> Iterator[WorkerLoop]:
    made = WorkerLoop()
    yield made
    made.close()


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns as often as they can, so that they meet at each step of the loop."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless_threads")
def test_a_call_runs_even_if_it_comes_while_the_loop_falls_asleep(loop: WorkerLoop) -> None:
    def call_again_and_again() -> int:
        for number in range(CALLS):
            ran = threading.Event()
            loop.call_soon_threadsafe(ran.set)
            if not ran.wait(WITHIN):
                return number
        return CALLS

    assert loop.run_until_complete(loop.run_in_executor(None, call_again_and_again)) == CALLS
    loop.run_until_complete(loop.shutdown_default_executor())


def test_calls_of_several_threads_all_run_in_the_order_of_each(loop: WorkerLoop) -> None:
    arrived: list[tuple[int, int]] = []

    def call(thread: int) -> None:
        for number in range(CALLS):
            loop.call_soon_threadsafe(arrived.append, (thread, number))

    async def call_from_threads() -> None:
        await asyncio.gather(*(asyncio.to_thread(call, thread) for thread in range(THREADS)))

    loop.run_until_complete(call_from_threads())
    loop.run_until_complete(loop.shutdown_default_executor())
    assert sorted(arrived) == [(thread, number) for thread in range(THREADS) for number in range(CALLS)]
    for thread in range(THREADS):
        of_thread = [number for caller, number in arrived if caller == thread]
        assert of_thread == sorted(of_thread)


def test_one_call_wakes_a_loop_that_sleeps_for_ever(loop: WorkerLoop) -> None:
    async def wait() -> str:
        answer: asyncio.Future[str] = loop.create_future()
        timer = threading.Timer(0.2, lambda: loop.call_soon_threadsafe(answer.set_result, "woken"))
        timer.start()
        return await answer  # no time-out: a timer of the loop would wake it too

    assert loop.run_until_complete(wait()) == "woken"


@pytest.mark.parametrize("debug", [False, True])
def test_a_thread_may_call_in_debug_mode_and_not_after_the_end(loop: WorkerLoop, *, debug: bool) -> None:
    loop.set_debug(debug)
    assert loop.run_until_complete(loop.run_in_executor(None, threading.get_ident)) != threading.get_ident()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon_threadsafe(print)
