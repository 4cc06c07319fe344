"""Closing from any thread or signal handler ends every listener, whatever it is waiting for."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybearer import AsyncClient, Client, Credentials
from keybearer.client.models.event_queues import Event
from keybearer.errors import ClientClosed
from tests.client.callers import Opener
from tests.client.key_server import write_zuliprc
from tests.client.scripted_server import KEY, Reply, ScriptedServer, Seen, error, html, success
from tests.client.zulip_queue import ZulipQueue, message_event

DEADLINE = 20


class Poll:
    """A long poll that returns nothing until the test ends."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()

    def __call__(self, _: Seen) -> Reply:
        self.begun.set()
        self.over.wait(60)
        return success(events=[])


@pytest.fixture
def poll() -> Iterator[Poll]:
    one = Poll()
    yield one
    one.over.set()


class Listening:
    """A thread that iterates over the events of a client, in an event loop if needed."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.got: list[Event] = []
        self.error: BaseException | None = None
        self.events = client.events()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        try:
            if isinstance(self.events, Iterator):
                self.got.extend(self.events)
            else:
                asyncio.run(self._listen_async())
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    async def _listen_async(self) -> None:
        assert not isinstance(self.events, Iterator)
        async for event in self.events:
            self.got.append(event)

    def ends(self) -> bool:
        self._thread.join(DEADLINE)
        return not self._thread.is_alive() and self.error is None


@pytest.mark.parametrize("what", ["client", "iterator"])
def test_close_ends_a_listener_in_another_thread_and_closes_its_queue(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, poll: Poll, what: str
) -> None:
    queue = server.otherwise = ZulipQueue([message_event(0)], poll)
    client = open_client(credentials).client
    listening = Listening(client)
    assert poll.begun.wait(DEADLINE)
    (client if what == "client" else listening.events).close()
    assert listening.ends()
    assert [event.id for event in listening.got] == [0]
    assert queue.deleted == ["q1"]


@pytest.mark.parametrize("answer", [html(502), error(429, "x", "RATE_LIMIT_HIT", **{"retry-after": 300})])
def test_close_ends_a_listener_that_waits_for_the_server(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, answer: Reply
) -> None:
    failed = threading.Event()

    def fail(_: Seen) -> Reply:
        failed.set()
        return answer

    server.otherwise = ZulipQueue([message_event(0)], *[fail] * 1000)
    client = open_client(credentials).client
    listening = Listening(client)
    assert failed.wait(DEADLINE)
    client.close()
    assert listening.ends()


def test_close_ends_a_listener_that_is_opening_its_queue(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, poll: Poll
) -> None:
    server.otherwise = poll
    client = open_client(credentials).client
    listening = Listening(client)
    assert poll.begun.wait(DEADLINE)
    client.close()
    assert listening.ends()
    assert listening.got == []


def test_a_queue_that_opens_while_the_client_closes_is_closed_too(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, poll: Poll
) -> None:
    queue = ZulipQueue()

    def slow(seen: Seen) -> Reply:
        if seen.path == "/api/v1/register":
            poll(seen)
        return queue(seen)

    server.otherwise = slow
    client = open_client(credentials).client
    listening = Listening(client)
    assert poll.begun.wait(DEADLINE)
    client.close()
    poll.over.set()
    assert listening.ends()
    assert (listening.got, queue.deleted) == ([], ["q1"])


def test_close_ends_every_listener_of_a_client(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    polls = [Poll() for _ in range(3)]
    queue = server.otherwise = ZulipQueue(*polls)
    client = open_client(credentials).client
    several = [Listening(client) for _ in polls]
    assert all(poll.begun.wait(DEADLINE) for poll in polls)
    client.close()
    assert all(listening.ends() for listening in several)
    assert sorted(queue.deleted) == ["q1", "q2", "q3"]
    for poll in polls:
        poll.over.set()


def test_close_does_not_wait_for_a_server_that_is_gone(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, poll: Poll
) -> None:
    closing = threading.Event()

    def answer(seen: Seen) -> Reply:
        if seen.method == "DELETE":
            closing.set()
            poll.over.wait(60)
        return queue(seen)

    queue = ZulipQueue([message_event(0)], poll)
    server.otherwise = answer
    client = open_client(credentials).client
    listening = Listening(client)
    assert poll.begun.wait(DEADLINE)
    client.close()
    assert listening.ends()
    assert closing.wait(DEADLINE)


def test_a_listener_that_starts_after_close_is_refused(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    caller = open_client(credentials)
    caller.client.close()
    with pytest.raises(ClientClosed, match="is closed"):
        caller.take_events(1)
    listening = Listening(caller.client)
    assert not listening.ends()
    assert isinstance(listening.error, ClientClosed)
    assert server.seen == []


def test_a_client_that_is_entered_again_listens_again(server: ScriptedServer, credentials: Credentials) -> None:
    server.otherwise = ZulipQueue([message_event(0)], [message_event(0)])
    client = Client(credentials)
    for _ in range(2):
        with client, client.events() as events:
            assert next(events).id == 0


def test_an_iterator_that_was_never_started_does_not_stay_in_the_client(
    open_client: Opener, credentials: Credentials
) -> None:
    client = open_client(credentials).client
    references = [weakref.ref(client.events()) for _ in range(3)]
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert client._runner.listeners == set()


def test_threads_may_share_an_iterator(server: ScriptedServer, credentials: Credentials) -> None:
    server.otherwise = ZulipQueue(*[[message_event(number)] for number in range(20)])
    got: list[int] = []
    with Client(credentials) as client:
        events = client.events()

        def take_some() -> None:
            got.extend(next(events).id for _ in range(5))

        threads = [threading.Thread(target=take_some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        events.close()
    assert sorted(got) == list(range(20))


def test_a_running_call_in_another_thread_is_completed_when_the_client_is_closed(
    server: ScriptedServer, credentials: Credentials
) -> None:
    called, closed = threading.Event(), threading.Event()

    def answer_after_closing(_: Seen) -> Reply:
        called.set()
        closed.wait(DEADLINE)
        return success(id=5)

    server.otherwise = answer_after_closing
    client = Client(credentials)
    sent: list[int] = []
    thread = threading.Thread(
        target=lambda: sent.append(client.send_message(to="general", topic="lunch", content="soup").id)
    )
    thread.start()
    assert called.wait(DEADLINE)
    client.close()
    closed.set()
    thread.join(DEADLINE)
    assert sent == [5]
    assert len(server.seen) == 1


SYNCHRONOUS = """
import signal, sys, keybearer
client = keybearer.Client(config_file=sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: client.close())
{call}
print("ended")
"""
ASYNCHRONOUS = """
import asyncio, signal, sys, keybearer
client = keybearer.AsyncClient(config_file=sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: client.close())
async def main():
    {call}
asyncio.run(main())
print("ended")
"""
IN_A_CALLBACK = "client.call_on_each_event(lambda event: client.get_profile())"


@pytest.mark.parametrize(
    "script",
    [
        SYNCHRONOUS.format(call="for _ in client.events(): pass"),
        SYNCHRONOUS.format(call=IN_A_CALLBACK),
        ASYNCHRONOUS.format(call="async for _ in client.events(): pass"),
        ASYNCHRONOUS.format(call=f"await {IN_A_CALLBACK}"),
    ],
    ids=["sync", "sync callback", "async", "async callback"],
)
def test_a_signal_handler_ends_the_listener_of_its_own_thread(
    server: ScriptedServer, tmp_path: Path, poll: Poll, script: str
) -> None:
    queue = ZulipQueue(poll)
    server.otherwise = queue
    zuliprc = tmp_path / "zuliprc"
    write_zuliprc(zuliprc, KEY, server.site)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, zuliprc],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert poll.begun.wait(DEADLINE)
        program.send_signal(signal.SIGTERM)
        output = program.communicate(timeout=DEADLINE)
    assert (program.returncode, output) == (0, ("ended\n", ""))
    assert queue.deleted == ["q1"]


def test_a_signal_handler_may_close_the_client_during_any_call(server: ScriptedServer, tmp_path: Path) -> None:
    """The handler may run at any point of the call, even while it holds a lock."""
    zuliprc = tmp_path / "zuliprc"
    write_zuliprc(zuliprc, KEY, server.site)
    script = """
import signal, sys, keybearer
client = keybearer.Client(config_file=sys.argv[1])
signal.signal(signal.SIGALRM, lambda *_: client.close())
signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
for _ in range(100):
    client.get_profile()
signal.setitimer(signal.ITIMER_REAL, 0)
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, zuliprc], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_the_thread_of_a_closed_listener_ends_after_the_response(
    server: ScriptedServer, credentials: Credentials
) -> None:
    poll = Poll()
    server.otherwise = ZulipQueue(poll)
    with Client(credentials) as client:
        listening = Listening(client)
        assert poll.begun.wait(DEADLINE)
    assert listening.ends()
    poll.over.set()
    for thread in threading.enumerate():
        if thread.name == "keybearer":
            thread.join(DEADLINE)
            assert not thread.is_alive()
