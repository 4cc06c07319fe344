"""Carries out the steps of a flow, one after the other. AsyncRunner does the same without blocking."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import CallFunction, Flow, Pause, Send, Step
from keybearer.client.http.base import CLOSING_TIME, BaseRunner

if TYPE_CHECKING:
    import ssl
    from concurrent.futures import Future

    from keybearer.client.flow.listening import Listener
    from keybearer.client.http.transport import Transport

T = TypeVar("T")


class Runner(BaseRunner):
    """Carries out the steps of flows. Connects when the first request is sent. Threads may share it."""

    def __init__(self, state: ClientState, context: ssl.SSLContext | None = None) -> None:
        super().__init__(state, context)
        self._transport: Transport | None = None
        self._finalizer: weakref.finalize[[], Runner] | None = None

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
                return self.transport().send(request)
            case Pause(seconds):
                time.sleep(seconds)
                return None
            case CallFunction(function):
                return function()
        raise TypeError(f"a runner cannot carry out a step of type {type(step).__name__}")

    def run_apart(self, flow: Flow[T]) -> T:
        """Run a flow in a thread of its own, with its own connections. `close()` and Ctrl-C do not stop it.

        Python waits for the thread before it exits.
        """
        return in_thread(lambda: run_alone(self.state, self.tls_context(), flow), daemon=False).result()

    def transport(self) -> Transport:
        """The transport. Raises TLSFailed for unusable certificate files, Unreachable for unusable proxies."""
        found = self._transport
        if found is not None and not found.closed:
            return found
        from keybearer.client.http.transport import Transport  # noqa: PLC0415 - the first call loads httpcore2, not every start

        made = Transport(self.state, self.tls_context())
        with self._lock:
            found = self._transport
            if found is None or found.closed:
                found = self._transport = made
                # A program that never closes its client gets no ResourceWarning about an open socket.
                self._finalizer = weakref.finalize(self, made.close)
        return found

    def close_queues(self, listeners: Iterable[Listener]) -> None:
        """Close the queues of these listeners. Does not wait long for a server that cannot be reached."""
        calls = [] if sys.is_finalizing() else self.closing_calls(listeners)  # Python starts no thread while it exits
        if not calls:
            return
        from concurrent.futures import wait  # noqa: PLC0415 - as in `in_thread`

        # A closed client is left without connections.
        run = partial(run_alone, self.state, self.tls_context()) if self.closed else self.run
        wait([in_thread(partial(run, call)) for call in calls], CLOSING_TIME)

    def leave_to_parent(self) -> object:
        transport, self._transport = self._transport, None
        if self._finalizer is not None:
            self._finalizer.detach()
        return transport

    def close(self) -> None:
        """Close the connections as soon as no request uses them. A later request opens new ones."""
        transport, self._transport = self._transport, None
        if self._finalizer is not None:
            self._finalizer.detach()
        if transport is not None:
            transport.close()


def in_thread(work: Callable[[], T], *, daemon: bool = True) -> Future[T]:
    """Start the work in a thread of its own. Python's exit waits for it, unless the thread is a `daemon`."""
    from concurrent.futures import Future  # noqa: PLC0415 - it loads `logging`, and few calls need a thread

    result: Future[T] = Future()
    result.set_running_or_notify_cancel()

    def carry_out() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            result.set_exception(error)

    threading.Thread(target=carry_out, name="keybearer", daemon=daemon).start()
    return result


def run_alone(state: ClientState, context: ssl.SSLContext, flow: Flow[T]) -> T:
    """Run a flow with its own connections, in this thread."""
    runner = Runner(state, context)
    try:
        return runner.run(flow)
    finally:
        runner.close()
