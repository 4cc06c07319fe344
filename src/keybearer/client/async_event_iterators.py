"""The iterator over events of the asynchronous client, like that in `event_iterators`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from keybearer.client import models
from keybearer.client.flow.listening import Ended, Listener, listen
from keybearer.client.flow.steps import Deliver, Flow, Send, Step
from keybearer.client.http.base import CLOSING_TIME

if TYPE_CHECKING:
    from keybearer.client.http.async_runner import AsyncRunner


class AsyncEventIterator(AsyncIterator["models.Event"]):
    """Events as they arrive, forever. Tasks may share it: each event goes to one of them."""

    def __init__(self, runner: AsyncRunner, listener: Listener) -> None:
        self._runner = runner
        self._listener = listener
        self._turn = asyncio.Lock()
        self._events = _generate(runner, listener)

    async def __anext__(self) -> models.Event:
        async with self._turn:
            return await anext(self._events)

    async def __aenter__(self) -> Self:
        self._runner.begin(self._listener)
        try:
            if self._listener.queue is None:
                opening = self._listener.open(self._runner.state)
                _ = [event async for event in _carry_out(self._runner, self._listener, opening)]
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def close(self) -> None:
        """End the iteration. Any thread and any signal handler may call it; the iterating task closes the queue."""
        self._listener.end()

    async def aclose(self) -> None:
        """End the iteration, and close the queue if the server can be reached."""
        self._listener.end()
        if not self._turn.locked():
            await self._events.aclose()
        await self._runner.close_queues([self._listener])


async def _generate(runner: AsyncRunner, listener: Listener) -> AsyncGenerator[models.Event, None]:
    if listener.ended:
        return
    runner.begin(listener)
    try:
        async with contextlib.aclosing(_carry_out(runner, listener, listen(runner.state, listener))) as events:
            async for event in events:
                yield event
    finally:
        await runner.close_queues([listener])


async def _carry_out(runner: AsyncRunner, listener: Listener, flow: Flow[None]) -> AsyncGenerator[models.Event, None]:
    """Carry out the steps of a flow and give the events that it delivers, until it ends or the listener does."""
    try:
        step = next(flow)
        while not listener.ended:
            if isinstance(step, Deliver):
                yield step.event
                step = next(flow)
            else:
                step = flow.send(await _take(runner, listener, step))
    except (StopIteration, Ended):
        pass
    finally:
        flow.close()


async def _take(runner: AsyncRunner, listener: Listener, step: Step) -> object:
    """Carry out a step, and wait for its outcome or the listener's end. Raises Ended for the latter.

    If a queue is being opened, it waits a little longer, so that the queue can be closed.
    """
    loop = asyncio.get_running_loop()
    working = loop.create_task(runner.take(step))

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and so is the task
            if isinstance(step, Send) and listener.queue is None:
                loop.call_soon_threadsafe(lambda: loop.call_later(CLOSING_TIME, working.cancel))
            else:
                loop.call_soon_threadsafe(working.cancel)

    listener.wake = wake
    if listener.ended:
        wake()
    try:
        return await working
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if listener.ended and not (task and task.cancelling()):
            raise Ended from None
        raise
