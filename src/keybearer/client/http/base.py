"""What both runners share: the TLS context, the listeners, and the separation from a forked process."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

from keybearer.client import models
from keybearer.client.flow.protocol import perform
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import Flow
from keybearer.errors import ClientClosed

if TYPE_CHECKING:
    import ssl

    from keybearer.client.flow.listening import Listener

CLOSING_TIME = 0.8
"""Seconds that closing waits for the server to close event queues."""


class BaseRunner:
    """The base of both runners. `closed` is set while no listener may start."""

    def __init__(self, state: ClientState, context: ssl.SSLContext | None = None) -> None:
        """Pass an existing `context` to avoid a second prompt for the passphrase of a client certificate."""
        self.state = state
        self.closed = False
        self.listeners: set[Listener] = set()
        self._context = context
        self._lock = threading.RLock()  # a signal handler may close the client while its thread holds the lock
        self._inherited: list[object] = []
        _runners.add(self)

    def tls_context(self) -> ssl.SSLContext:
        """The TLS context of all connections. Raises TLSFailed for certificate files that cannot be used."""
        from keybearer.client.http.transport import context_for  # noqa: PLC0415 - the first call loads httpcore2

        with self._lock:
            if self._context is None:
                self._context = context_for(self.state)
            return self._context

    def begin(self, listener: Listener) -> None:
        """Register a listener that starts. Raises ClientClosed after `end_listeners`."""
        self.listeners.add(listener)
        if self.closed:
            self.listeners.discard(listener)
            raise ClientClosed(
                "The client is closed, so it cannot listen for events",
                hint="Make a new client, or use this one in a `with` block again",
            )

    def end_listeners(self) -> None:
        """End every listener, in any thread or event loop. No new one can start."""
        self.closed = True
        for listener in tuple(self.listeners):
            listener.end()

    def closing_calls(self, listeners: Iterable[Listener]) -> list[Flow[models.Answer]]:
        """Forget these listeners. Returns the calls that close their queues."""
        self.listeners.difference_update(listeners)
        calls = [listener.closing_call() for listener in listeners]
        return [perform(self.state, call) for call in calls if call is not None]

    def leave_to_parent(self) -> object:
        """In a child process: give up the connections, which the parent uses. Returns them."""
        raise NotImplementedError

    def start_in_child(self) -> None:
        """Share nothing with the parent process: no connection, no event queue, and no lock of one of its threads.

        The parent's connections are kept open, since closing them could write to them.
        """
        self._lock = threading.RLock()
        self._inherited.append(self.leave_to_parent())
        for listener in self.listeners:
            listener.queue = None
        self.listeners = set()


_runners: weakref.WeakSet[BaseRunner] = weakref.WeakSet()


def _start_in_child() -> None:
    for runner in tuple(_runners):
        runner.start_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_in_child)
