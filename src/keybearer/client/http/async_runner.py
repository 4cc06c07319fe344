"""Carries out the steps of a flow in an event loop. Runner does the same and blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from keybearer.client.flow.log import log
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import CallFunction, Flow, Pause, Send, Step
from keybearer.client.http.base import CLOSING_TIME, BaseRunner
from keybearer.client.http.runner import in_thread, run_alone
from keybearer.errors import KeybearerError

if TYPE_CHECKING:
    from keybearer.client.flow.listening import Listener
    from keybearer.client.http.async_transport import AsyncTransport

T = TypeVar("T")


class AsyncRunner(BaseRunner):
    """Carries out the steps of flows in an event loop. Each event loop has connections of its own."""

    def __init__(self, state: ClientState) -> None:
        super().__init__(state)
        self._transports: dict[asyncio.AbstractEventLoop, AsyncTransport] = {}
        self._apart: set[asyncio.Future[Any]] = set()

    async def run(self, flow: Flow[T]) -> T:
        """Carry out all steps of a flow and return its value, or raise what it raises."""
        try:
            step = next(flow)
            while True:
                step = flow.send(await self.take(step))
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            flow.close()

    async def take(self, step: Step) -> object:
        """Carry out a step and return its outcome. The event iterators handle Deliver themselves."""
        match step:
            case Send(request):
                return await (await self._transport()).send(request)
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return None
            case CallFunction(function):
                return await asyncio.to_thread(function)
        raise TypeError(f"a runner cannot carry out a step of type {type(step).__name__}")

    async def run_apart(self, flow: Flow[T]) -> T:
        """Run a flow in a thread of its own, with its own connections.

        `aclose()` and a cancellation do not stop it. The end of the event loop waits for such threads, and so does
        Python's exit.
        """
        running = asyncio.get_running_loop().run_in_executor(
            None, lambda: run_alone(self.state, self.tls_context(), flow)
        )
        self._apart.add(running)
        running.add_done_callback(self._apart.discard)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.add_done_callback(_log_failure)
            raise

    async def _transport(self) -> AsyncTransport:
        loop = asyncio.get_running_loop()
        found = self._transports.get(loop)
        if found is not None and not found.closed:
            return found
        from keybearer.client.http.async_transport import AsyncTransport  # noqa: PLC0415 - the first call loads httpcore2

        context = self._context
        if context is None:
            context = await asyncio.to_thread(self.tls_context)
        made = AsyncTransport(self.state, context)
        for other in tuple(self._transports):
            if other.is_closed():
                self._transports.pop(other, None)
        found = self._transports.get(loop)  # another task may have been faster
        if found is None or found.closed:
            found = self._transports[loop] = made
            await made.close_with_loop()
        return found

    async def close_queues(self, listeners: Iterable[Listener]) -> None:
        """Close the queues of these listeners. Does not wait long for a server that cannot be reached.

        Threads do it, since an event loop that is ending sends no requests.
        """
        calls = self.closing_calls(listeners)
        if calls:
            context = await asyncio.to_thread(self.tls_context)
            closing = [asyncio.wrap_future(in_thread(partial(run_alone, self.state, context, call))) for call in calls]
            _, late = await asyncio.wait(closing, timeout=CLOSING_TIME)
            for one in late:
                one.cancel()
            for one in closing:
                one.add_done_callback(lambda done: done.cancelled() or done.exception())  # a failure is not reported

    def leave_to_parent(self) -> object:
        transports, self._transports = self._transports, {}
        return transports

    async def aclose(self) -> None:
        """Close the connections of this event loop as soon as no request uses them. A later request opens new ones.

        Waits for flows that run in threads. Other event loops close their connections when they end.
        """
        loop = asyncio.get_running_loop()
        transport = self._transports.pop(loop, None)
        if transport is not None:
            await transport.aclose()
        apart = [one for one in self._apart if one.get_loop() is loop]
        if apart:
            await asyncio.wait(apart)


def _log_failure(running: asyncio.Future[T]) -> None:
    """Log why a flow has failed if no caller waits for it any longer."""
    error = None if running.cancelled() else running.exception()
    if error is not None:
        log().error("%s", error if isinstance(error, KeybearerError) else type(error).__name__)
