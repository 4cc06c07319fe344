"""Carries out the steps of a flow in an event loop. Runner does the same and blocks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import CallFunction, Flow, Pause, Send, Step

if TYPE_CHECKING:
    from keybearer.client.flow.listening import Listener
    from keybearer.client.http.async_transport import AsyncTransport

T = TypeVar("T")


class AsyncRunner:
    """Carries out the steps of flows in an event loop. Tasks of one event loop may share it."""

    def __init__(self, state: ClientState) -> None:
        self.state = state
        self.listeners: set[Listener] = set()
        self._transport: AsyncTransport | None = None
        self._opening = asyncio.Lock()

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
                return await (self._transport or await self._open()).send(request)
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return None
            case CallFunction(function):
                return await asyncio.to_thread(function)
        raise TypeError(f"a runner cannot carry out a step of type {type(step).__name__}")

    async def _open(self) -> AsyncTransport:
        from keybearer.client.http.async_transport import AsyncTransport  # noqa: PLC0415 - the first call loads httpx2

        async with self._opening:
            if self._transport is None:
                self._transport = await AsyncTransport.open(self.state)
            return self._transport

    async def aclose(self) -> None:
        """Close the connections. A later request opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()
