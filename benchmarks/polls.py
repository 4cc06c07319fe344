"""Polls that wait for events: what they cost, and how soon a message reaches all that wait for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.load import Connection, content, request
from benchmarks.population import CHANNEL, Population
from benchmarks.processes import Server
from benchmarks.rounds import Measured, Plan, in_turns
from benchmarks.rows import LENGTH, Row, at_most, row, simple_row
from benchmarks.servers import SQLITE, Installation, installation
from keybearer.server.workers import raise_descriptor_limit

POLLS = 10_000
FOLLOWERS = 5000
AT_ONCE = 50
"""Queues that are registered at the same time."""


@dataclass
class Listener:
    """A queue, and the connection that polls it."""

    connection: Connection
    queue_id: str = ""
    last_event_id: int = -1

    def poll(self) -> None:
        """Ask for events and leave the answer for later."""
        asked = {"queue_id": self.queue_id, "last_event_id": self.last_event_id}
        self.connection.send(request("GET", "events", self.connection.credential, **asked))


def measure(plan: Plan) -> list[Row]:
    """Open the polls, and send messages to the half of them whose accounts follow the channel."""
    raise_descriptor_limit()
    polls, followers = plan.some(POLLS), plan.some(FOLLOWERS)
    with installation(Population(polls, followers=followers)) as found:
        before = found.server.memory()
        listeners = _listeners(found)
        for listener in listeners:
            listener.poll()
        found.server.wait_until_idle()
        growth = found.server.memory() - before
        sender = Connection(found.server, found.credentials[0])
        hearing = listeners[:followers]
        (rounds,) = in_turns(plan, "polls", lambda: _message(found.server, sender, hearing))
        for connection in (sender, *(each.connection for each in listeners)):
            connection.close()
    return [
        simple_row(f"memory of {polls:,} waiting polls", SQLITE, "MB", [growth], target=at_most(200)),
        row(f"a message to {followers:,} waiting polls", SQLITE, LENGTH, rounds, target=at_most(1)),
    ]


def _listeners(found: Installation) -> list[Listener]:
    """A queue for each account, registered."""
    listeners = [Listener(Connection(found.server, each)) for each in found.credentials]
    wanted = {"event_types": ["message"], "fetch_event_types": ["message"]}
    for some in _in_batches(listeners):
        for listener in some:
            connection = listener.connection
            connection.send(request("POST", "register", connection.credential, **wanted))
        for listener in some:
            answer = content(listener.connection.answer())
            listener.queue_id, listener.last_event_id = answer["queue_id"], answer["last_event_id"]
    return listeners


def _in_batches(listeners: Sequence[Listener]) -> Iterable[Sequence[Listener]]:
    return [listeners[first : first + AT_ONCE] for first in range(0, len(listeners), AT_ONCE)]


def _message(server: Server, sender: Connection, listeners: Sequence[Listener]) -> Measured:
    """Send one; the time runs until every poll is answered. The polls are opened again afterwards."""
    cpu, begun = server.cpu(), time.perf_counter()
    sender.send(request("POST", "messages", sender.credential, type="stream", to=CHANNEL, topic="x", content="hello"))
    answers, arrived = [], []
    for listener in listeners:
        answers.append(listener.connection.answer())
        arrived.append(time.perf_counter() - begun)
    sender.answer()
    server.wait_until_idle()
    taken = server.cpu() - cpu
    for listener, answer in zip(listeners, answers, strict=True):
        listener.last_event_id = content(answer)["events"][-1]["id"]
        listener.poll()
    server.wait_until_idle()
    return Measured(arrived[-1], arrived, taken)
