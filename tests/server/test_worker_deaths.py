"""Workers that die: each is replaced, however often, and the healthy ones are left alone."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from granian.server.mp import WorkerProcess

from keybearer.server.process import granian
from keybearer.server.settings import Settings
from keybearer.server.workers import LONGEST_PAUSE, Supervisor
from tests.server.test_process import SETTINGS, eventually
from tests.server_process import RunningServer, running_server

PAUSES = "ended before it could answer; it is started again in"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of one worker."""
    with running_server(tmp_path_factory.mktemp("one") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of two workers."""
    with running_server(tmp_path_factory.mktemp("two") / "data", "--workers", "2") as server:
        yield server


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def answers(server: RunningServer) -> bool:
    try:
        return httpx2.get(server.site + SETTINGS, timeout=20).status_code == 200
    except httpx2.TransportError:
        return False


def replaced(server: RunningServer, killed: int, count: int) -> list[int]:
    """The workers, as soon as there are that many without that one."""
    assert eventually(lambda: len(server.workers()) == count and killed not in server.workers())
    return server.workers()


def test_a_worker_that_is_killed_repeatedly_is_replaced_each_time(one: RunningServer) -> None:
    for _ in range(3):  # the later ones are killed while they start
        (worker,) = one.workers()
        kill(worker)
        replaced(one, worker, 1)
    assert eventually(lambda: answers(one), seconds=60)
    assert one.process.poll() is None


def test_a_request_without_a_live_worker_waits_for_the_next_one(one: RunningServer) -> None:
    (worker,) = one.workers()
    kill(worker)
    assert eventually(lambda: worker not in one.workers())
    with socket.create_connection(("127.0.0.1", one.port), timeout=30) as connection:
        connection.sendall(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % SETTINGS.encode())
        assert connection.recv(12).startswith(b"HTTP/1.1 ")


def test_a_healthy_worker_outlives_every_death_of_the_other(two: RunningServer) -> None:
    healthy, victim = two.workers()
    for _ in range(3):
        kill(victim)
        workers = replaced(two, victim, 2)
        assert healthy in workers
        (victim,) = set(workers) - {healthy}
        assert answers(two)


def test_workers_that_are_killed_together_are_all_replaced(two: RunningServer) -> None:
    before = two.workers()
    for worker in before:
        kill(worker)
    assert eventually(lambda: len(two.workers()) == 2 and not set(before) & set(two.workers()))
    assert answers(two)


@pytest.mark.soak
def test_a_server_answers_throughout_a_minute_of_deaths(two: RunningServer) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        kill(random.choice(two.workers()))
        again = time.monotonic() + 2
        while time.monotonic() < again:
            assert answers(two) or answers(two)  # a request that the killed worker had taken is sent again
    assert two.process.poll() is None


@pytest.mark.soak
def test_a_worker_that_cannot_start_is_started_again_after_pauses_until_it_can(two: RunningServer) -> None:
    healthy, victim = two.workers()
    secrets = two.data_dir / "secrets.json"
    secrets.chmod(0o644)  # a worker refuses secrets that others can read
    said = two.log.read_text().count(PAUSES)
    kill(victim)
    assert eventually(lambda: two.log.read_text().count(PAUSES) >= said + 2, seconds=60)
    assert healthy in two.workers()
    assert answers(two)
    secrets.chmod(0o600)
    assert eventually(lambda: len(two.workers()) == 2, seconds=LONGEST_PAUSE + 30)
    assert healthy in two.workers()


def _worker(supervisor: Supervisor, number: int) -> WorkerProcess:
    """A worker that does nothing until it is asked to end."""
    return WorkerProcess(supervisor, number, signal.pause, ())  # type: ignore[no-untyped-call]


def test_workers_that_end_when_asked_are_not_said_to_refuse(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        supervisor = granian(Settings(data_dir=tmp_path), listener, 1)
        workers = [_worker(supervisor, number) for number in range(30)]
        for worker in workers:
            worker.start()  # type: ignore[no-untyped-call]
        supervisor.wrks.extend(workers)
        supervisor._stop_workers()
    assert {worker.inner.exitcode for worker in workers} == {-signal.SIGTERM}
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == []


def test_a_server_whose_worker_waits_to_be_started_again_stops_when_asked(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        (server.data_dir / "secrets.json").chmod(0o644)
        kill(server.workers()[0])
        assert eventually(lambda: PAUSES in server.log.read_text(), seconds=60)
        assert server.stop() == 0
