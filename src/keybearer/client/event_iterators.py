"""The iterator over events of the synchronous client.

The first iteration opens the queue, or `with` does. The end of the iteration closes it. A call to close, from any
thread or signal handler, ends a running iteration as if there were no more events.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from keybearer.client import models
from keybearer.client.flow.listening import Ended, Listener, listen
from keybearer.client.flow.steps import CallFunction, Deliver, Flow, Pause, Send, Step
from keybearer.client.http.base import CLOSING_TIME
from keybearer.client.http.runner import in_thread

if TYPE_CHECKING:
    from keybearer.client.http.runner import Runner


class EventIterator(Iterator["models.Event"]):
    """Events as they arrive, forever. Threads may share it: each event goes to one of them."""

    def __init__(self, runner: Runner, listener: Listener) -> None:
        self._runner = runner
        self._listener = listener
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._turn = threading.Lock()
        self._events = _generate(self._runner, self._listener)

    def __next__(self) -> models.Event:
        if self._process != os.getpid():  # a fork: the parent continues with its own queue, and this process opens one
            self._start()
        with self._turn:
            return next(self._events)

    def __enter__(self) -> Self:
        self._runner.begin(self._listener)
        try:
            if self._listener.queue is None:
                list(_carry_out(self._runner, self._listener, self._listener.open(self._runner.state)))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration, and close the queue if the server can be reached. Any thread may call it."""
        self._listener.end()
        self._runner.close_queues([self._listener])


def _generate(runner: Runner, listener: Listener) -> Generator[models.Event, None, None]:
    """It has no reference to the iterator, so it ends as soon as the iterator is garbage."""
    if listener.ended:
        return
    runner.begin(listener)
    try:
        yield from _carry_out(runner, listener, listen(runner.state, listener))
    finally:
        runner.close_queues([listener])


def _carry_out(runner: Runner, listener: Listener, flow: Flow[None]) -> Generator[models.Event, None, None]:
    """Carry out the steps of a flow and give the events that it delivers, until it ends or the listener does."""
    try:
        step = next(flow)
        while not listener.ended:
            if isinstance(step, Deliver):
                yield step.event
                step = next(flow)
            else:
                step = flow.send(_take(runner, listener, step))
    except (StopIteration, Ended):
        pass
    finally:
        flow.close()


def _take(runner: Runner, listener: Listener, step: Step) -> object:
    """Carry out a step in another thread, and wait for its outcome or the listener's end. Raises Ended for the latter.

    Without a thread, looking up a host, connecting and a long poll cannot all be interrupted. If a queue is being
    opened, it waits a little longer, so that the queue can be closed.
    """
    inbox: SimpleQueue[Future[Any] | None] = SimpleQueue()  # a signal handler may put something into it
    listener.wake = partial(inbox.put, None)
    if listener.ended:
        raise Ended
    done: Future[Any] | None = None
    match step:
        case Pause(seconds):
            try:
                done = inbox.get(timeout=seconds)
            except Empty:
                return None
        case Send(request):
            transport = runner.transport()  # in this thread, since it may ask for a passphrase
            in_thread(lambda: transport.send(request)).add_done_callback(inbox.put)
            done = inbox.get()
            if done is None and listener.queue is None:
                with suppress(Empty):
                    done = inbox.get(timeout=CLOSING_TIME)
        case CallFunction(function):
            in_thread(function).add_done_callback(inbox.put)
            done = inbox.get()
    if done is None:
        raise Ended
    return done.result()
