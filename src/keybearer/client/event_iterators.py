"""Events to iterate over, synchronously and asynchronously. Both open the queue by the first step, or by `with`, and
close it at the end.
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
        """End the iteration and close the queue on the server, if that can be reached."""
        self._events.close()
        leave(self._runner, self._listener)


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
        """End the iteration and close the queue on the server, if that can be reached."""
        await self._events.aclose()
        await leave_async(self._runner, self._listener)


def _generate(runner: Runner, listener: Listener) -> Generator[Event, None, None]:
    """Knows nothing of the iterator, so that it ends at once with an iterator that nobody holds any more."""
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
        leave(runner, listener)


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
        await leave_async(runner, listener)


def leave(runner: Runner, listener: Listener) -> None:
    """Close the queue of a listener, if it has one and the server can be reached."""
    runner.listeners.discard(listener)
    closing = listener.leave()
    if closing is not None:
        with contextlib.suppress(ClientError):
            runner.run(perform(runner.state, closing))


async def leave_async(runner: AsyncRunner, listener: Listener) -> None:
    """Close the queue of a listener, if it has one and the server can be reached."""
    runner.listeners.discard(listener)
    closing = listener.leave()
    if closing is not None:
        with contextlib.suppress(ClientError):
            await runner.run(perform(runner.state, closing))
