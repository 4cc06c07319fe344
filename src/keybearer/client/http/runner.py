"""What takes the steps of a flow, one after the other. The other runner does the same, and awaits."""

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
    """Takes steps one after the other. Connects when the first request is to be sent; threads may share it."""

    def __init__(self, state: ClientState) -> None:
        self.state = state
        self.listeners: set[Listener] = set()
        self._transport: Transport | None = None
        self._opening = threading.Lock()

    def run(self, flow: Flow[T]) -> T:
        """Take all steps of a flow and return its value, or raise what it raises."""
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
        """Take a step and return its outcome. Events to deliver are not for a runner."""
        match step:
            case Send(request):
                return (self._transport or self._open()).send(request)
            case Pause(seconds):
                time.sleep(seconds)
                return None
            case CallFunction(function):
                return function()
        raise TypeError(f"no step for a runner: {type(step).__name__}")

    def _open(self) -> Transport:
        from keybearer.client.http.transport import Transport  # noqa: PLC0415 - the first call loads httpx2, not every start

        with self._opening:
            if self._transport is None:
                self._transport = Transport(self.state)
                # Programs that never close their client leave no open socket to be complained about.
                weakref.finalize(self, self._transport.close)
            return self._transport

    def close(self) -> None:
        """Close the connections. A later request opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
