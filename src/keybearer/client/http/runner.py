"""Carries out the steps of a flow, one after the other. AsyncRunner does the same without blocking."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, TypeVar

from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import CallFunction, Flow, Pause, Send, Step

if TYPE_CHECKING:
    from keybearer.client.flow.listening import Listener
    from keybearer.client.http.transport import Transport

T = TypeVar("T")


class Runner:
    """Carries out the steps of flows. Connects when the first request is sent. Threads may share it."""

    def __init__(self, state: ClientState) -> None:
        self.state = state
        self.listeners: set[Listener] = set()
        self._transport: Transport | None = None
        self._opening = threading.Lock()

    def run(self, flow: Flow[T]) -> T:
        """Carry out all steps of a flow and return its value, or raise what it raises."""
        try:
            step = next(flow)
            while True:
                step = flow.send(self.take(step))
        except StopIteration as end:
            value: T = end.value
            return value
        finally:
            flow.close()

    def take(self, step: Step) -> object:
        """Carry out a step and return its outcome. The event iterators handle Deliver themselves."""
        match step:
            case Send(request):
                return (self._transport or self._open()).send(request)
            case Pause(seconds):
                time.sleep(seconds)
                return None
            case CallFunction(function):
                return function()
        raise TypeError(f"a runner cannot carry out a step of type {type(step).__name__}")

    def _open(self) -> Transport:
        from keybearer.client.http.transport import Transport  # noqa: PLC0415 - the first call loads httpx2, not every start

        with self._opening:
            if self._transport is None:
                self._transport = Transport(self.state)
                # A program that never closes its client gets no ResourceWarning about an open socket.
                weakref.finalize(self, self._transport.close)
            return self._transport

    def close(self) -> None:
        """Close the connections. A later request opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
