"""Iterators over events, synchronous and asynchronous.

The first iteration opens the queue, or `with` does. The end of the iteration closes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from keybearer.client.flow.listening import Listener, listen
from keybearer.client.flow.protocol import perform
from keybearer.client.flow.steps import Deliver
from keybearer.client.models.event_queues import Event
from keybearer.errors import ClientError

if TYPE_CHECKING:
    from keybearer.client.http.async_runner import AsyncRunner
    from keybearer.client.http.runner import Runner


class EventIterator(Iterator[Event]):
    """Events as they come, for ever."""

    def __init__(self, runner: Runner, listener: Listener) -> None:
        self._runner = runner
        self._listener = listener
        runner.listeners.add(listener)
        self._events = _generate(runner, listener)

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> Self:
        if self._listener.queue is None:
            self._runner.run(self._listener.open(self._runner.state))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration, and close the queue if the server can be reached."""
        self._events.close()
        close_queue(self._runner, self._listener)


class AsyncEventIterator(AsyncIterator[Event]):
    """Events as they come, for ever."""

    def __init__(self, runner: AsyncRunner, listener: Listener) -> None:
        self._runner = runner
        self._listener = listener
        runner.listeners.add(listener)
        self._events = _generate_async(runner, listener)

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        if self._listener.queue is None:
            await self._runner.run(self._listener.open(self._runner.state))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the iteration, and close the queue if the server can be reached."""
        await self._events.aclose()
        await close_queue_async(self._runner, self._listener)


def _generate(runner: Runner, listener: Listener) -> Generator[Event, None, None]:
    """Holds no reference to the iterator, so that it ends as soon as the iterator is garbage."""
    flow = listen(runner.state, listener)
    try:
        step = next(flow)
        while True:
            if isinstance(step, Deliver):
                yield step.event
                step = next(flow)
            else:
                step = flow.send(runner.take(step))
    finally:
        flow.close()
        close_queue(runner, listener)


async def _generate_async(runner: AsyncRunner, listener: Listener) -> AsyncGenerator[Event, None]:
    flow = listen(runner.state, listener)
    try:
        step = next(flow)
        while True:
            if isinstance(step, Deliver):
                yield step.event
                step = next(flow)
            else:
                step = flow.send(await runner.take(step))
    finally:
        flow.close()
        await close_queue_async(runner, listener)


def close_queue(runner: Runner, listener: Listener) -> None:
    """Close the queue of a listener, if it has one and the server can be reached."""
    runner.listeners.discard(listener)
    closing = listener.closing_call()
    if closing is not None:
        with contextlib.suppress(ClientError):
            runner.run(perform(runner.state, closing))


async def close_queue_async(runner: AsyncRunner, listener: Listener) -> None:
    """Close the queue of a listener, if it has one and the server can be reached."""
    runner.listeners.discard(listener)
    closing = listener.closing_call()
    if closing is not None:
        with contextlib.suppress(ClientError):
            await runner.run(perform(runner.state, closing))
