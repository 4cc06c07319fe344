"""Event queues on a real server with two workers: any worker serves any queue, and a restart loses none."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.sync import Client
from keybearer.errors import APIError
from keybearer.server.services import api_keys
from keybearer.server.services.context import Context
from keybearer.store.files import read_zuliprc
from tests.server_process import RunningServer, started_server
from tests.server_process import running_server as server_process

PATIENCE = 30.0
ENVIRON = {"KEYBEARER_API_LIMIT": "100000/minute"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with server_process(tmp_path / "data", "--workers", "2", environ=ENVIRON) as running:
        yield running


def client_of(server: RunningServer, path: Path) -> Client:
    return Client(read_zuliprc(server.write_zuliprc(path)))


def poll(client: Client, queue_id: str, after: int, **options: Any) -> list[dict[str, Any]]:
    parameters = {"queue_id": queue_id, "last_event_id": after, **options}
    found: list[dict[str, Any]] = client.request("GET", "events", parameters)["events"]
    return found


def send(client: Client, content: str) -> None:
    client.send_message(type="stream", to="general", topic="workers", content=content)


def test_every_worker_serves_every_queue(server: RunningServer, tmp_path: Path) -> None:
    with client_of(server, tmp_path / "zuliprc") as first:
        queue_id = first.register(["message"]).queue_id
        after = -1
        for number in range(12):
            # Each client has its own connection, so the calls reach both workers.
            with (
                Client(read_zuliprc(tmp_path / "zuliprc")) as sender,
                Client(read_zuliprc(tmp_path / "zuliprc")) as reader,
            ):
                send(sender, str(number))
                (event,) = poll(reader, queue_id, after, dont_block=True)
            assert event["message"]["content"] == str(number)
            after = event["id"]


def test_polls_on_every_worker_get_a_message(server: RunningServer, tmp_path: Path) -> None:
    path = server.write_zuliprc(tmp_path / "zuliprc")
    with ThreadPoolExecutor(8) as pool, Client(read_zuliprc(path)) as sender:
        polls: list[Future[list[dict[str, Any]]]] = []
        for _ in range(8):
            client = Client(read_zuliprc(path))
            queue_id = client.register(["message"]).queue_id
            polls.append(pool.submit(poll, client, queue_id, -1))
        send(sender, "to all")
        heard = [waiting.result(PATIENCE)[0]["message"]["content"] for waiting in polls]
    assert heard == ["to all"] * 8


def test_a_replaced_key_ends_the_polls_of_every_worker(server: RunningServer, tmp_path: Path) -> None:
    path = server.write_zuliprc(tmp_path / "zuliprc")
    with ThreadPoolExecutor(6) as pool:
        polls = []
        for _ in range(6):
            client = Client(read_zuliprc(path))
            polls.append(pool.submit(poll, client, client.register(["message"]).queue_id, -1))
        threading.Event().wait(0.5)  # most of them wait by now; a late one is refused at admission

        async def replace(context: Context) -> None:
            await api_keys.regenerate_by_operator(context, 1)

        server.on_data(replace)
        for waiting in polls:
            with pytest.raises(APIError) as caught:
                waiting.result(PATIENCE)
            assert (caught.value.status, caught.value.answer["msg"]) == (401, "Invalid API key")


def test_a_queue_outlives_the_worker_that_served_it(server: RunningServer, tmp_path: Path) -> None:
    with client_of(server, tmp_path / "zuliprc") as client:
        queue_id = client.register(["message"]).queue_id
        send(client, "before")
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        events = poll(client, queue_id, -1, dont_block=True)
        assert [event["message"]["content"] for event in events] == ["before"]


def test_a_queue_outlives_the_server_and_polls_do_not_keep_it_from_stopping(tmp_path: Path) -> None:
    data_dir, path = tmp_path / "data", tmp_path / "zuliprc"
    with (
        server_process(data_dir, environ=ENVIRON) as server,
        client_of(server, path) as client,
        Client(read_zuliprc(path), retry=RetryPolicy(attempts=1)) as waiting,
        ThreadPoolExecutor(1) as pool,
    ):
        queue_id = client.register(["message"]).queue_id
        send(client, "kept")
        (event,) = poll(client, queue_id, -1)
        ended = pool.submit(poll, waiting, queue_id, event["id"])
        threading.Event().wait(0.3)
        assert server.stop() == 0
        assert ended.exception(PATIENCE) is not None or ended.result() == []
    with started_server(data_dir, environ=ENVIRON, lines=1) as server, client_of(server, path) as client:
        send(client, "after")
        events = poll(client, queue_id, event["id"])
        assert [each["message"]["content"] for each in events] == ["after"]
