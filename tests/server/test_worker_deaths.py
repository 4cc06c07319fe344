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
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of one worker."""
    with running_server(tmp_path_factory.mktemp("one") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
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


def test_a_worker_that_is_killed_repeatedly_is_replaced_each_time(one_worker: RunningServer) -> None:
    for _ in range(3):  # the later ones are killed while they start
        (worker,) = one_worker.workers()
        kill(worker)
        replaced(one_worker, worker, 1)
    assert eventually(lambda: answers(one_worker), seconds=60)
    assert one_worker.process.poll() is None


def test_a_request_without_a_live_worker_waits_for_the_next_one(one_worker: RunningServer) -> None:
    (worker,) = one_worker.workers()
    kill(worker)
    assert eventually(lambda: worker not in one_worker.workers())
    with socket.create_connection(("127.0.0.1", one_worker.port), timeout=30) as connection:
        connection.sendall(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % SETTINGS.encode())
        assert connection.recv(12).startswith(b"HTTP/1.1 ")


def test_a_healthy_worker_outlives_every_death_of_the_other(two_workers: RunningServer) -> None:
    healthy, victim = two_workers.workers()
    for _ in range(3):
        kill(victim)
        workers = replaced(two_workers, victim, 2)
        assert healthy in workers
        (victim,) = set(workers) - {healthy}
        assert answers(two_workers)


def test_workers_that_are_killed_together_are_all_replaced(two_workers: RunningServer) -> None:
    before = two_workers.workers()
    for worker in before:
        kill(worker)
    assert eventually(lambda: len(two_workers.workers()) == 2 and not set(before) & set(two_workers.workers()))
    assert answers(two_workers)


@pytest.mark.soak
def test_a_server_answers_throughout_a_minute_of_deaths(two_workers: RunningServer) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        kill(random.choice(two_workers.workers()))
        again = time.monotonic() + 2
        while time.monotonic() < again:
            # A request that the killed worker had accepted is sent again.
            assert answers(two_workers) or answers(two_workers)
    assert two_workers.process.poll() is None


@pytest.mark.soak
def test_a_worker_that_cannot_start_is_started_again_after_pauses_until_it_can(two_workers: RunningServer) -> None:
    healthy, victim = two_workers.workers()
    secrets = two_workers.data_dir / "secrets.json"
    secrets.chmod(0o644)  # a worker refuses secrets that others can read
    said = two_workers.log.read_text().count(PAUSES)
    kill(victim)
    assert eventually(lambda: two_workers.log.read_text().count(PAUSES) >= said + 2, seconds=60)
    assert healthy in two_workers.workers()
    assert answers(two_workers)
    secrets.chmod(0o600)
    assert eventually(lambda: len(two_workers.workers()) == 2, seconds=LONGEST_PAUSE + 30)
    assert healthy in two_workers.workers()


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
