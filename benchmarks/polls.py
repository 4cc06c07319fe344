"""Polls that wait for events: their cost, and how fast a message reaches all of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.load import Connection, content, request
from benchmarks.population import CHANNEL, Population, queue_id
from benchmarks.processes import Server
from benchmarks.rounds import Measured, Plan, in_turns
from benchmarks.rows import LENGTH, Row, at_most, row, simple_row
from benchmarks.servers import SQLITE, Installation, installation
from keybearer.server.workers import connections_within, raise_descriptor_limit

POLLS = 10_000
FOLLOWERS = 5000


@dataclass
class Listener:
    """A queue, and the connection that polls it."""

    connection: Connection
    queue_id: str
    last_event_id: int = -1

    def poll(self) -> None:
        """Ask for events without reading the answer."""
        asked = {"queue_id": self.queue_id, "last_event_id": self.last_event_id}
        self.connection.send(request("GET", "events", self.connection.credential, **asked))

    def poll_again(self, answer: bytes) -> None:
        """Ask for the events after those of the answer."""
        self.last_event_id = content(answer)["events"][-1]["id"]
        self.poll()


def measure(plan: Plan) -> list[Row]:
    """Open the polls, and send messages to the channel to which half of their accounts are subscribed."""
    most = connections_within(raise_descriptor_limit()) // 2  # the others are for requests that do not wait
    polls = min(plan.some(POLLS), most)
    followers = min(plan.some(FOLLOWERS), polls)
    with installation(Population(polls, followers=followers, queues=True)) as found:
        found.server.wait_until_idle()
        before = found.server.memory()
        listeners = _listeners(found)
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
    """A waiting poll for each account."""
    listeners = []
    for number, credential in enumerate(found.credentials, 1):
        listeners.append(Listener(Connection(found.server, credential), queue_id(number)))
        listeners[-1].poll()
    return listeners


def _message(server: Server, sender: Connection, listeners: Sequence[Listener]) -> Measured:
    """Send a message, and measure until every poll is answered. The polls are opened again afterwards."""
    for listener in listeners:
        if listener.connection.is_answered():  # a poll that has waited for long is answered with a heartbeat
            listener.poll_again(listener.connection.answer())
    server.wait_until_idle()
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
        listener.poll_again(answer)
    return Measured(arrived[-1], arrived, taken)
