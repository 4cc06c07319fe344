"""Several workers are one server: a new key, a limit on passwords and a session are valid on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer, running_server

CONNECTIONS = 24
"""New connections go to one worker or another. With this many, each worker is asked."""


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of three processes."""
    with running_server(tmp_path_factory.mktemp("workers") / "data", "--workers", "3") as server:
        yield server


@pytest.fixture(scope="module")
def client(workers: RunningServer) -> Iterator[httpx2.Client]:
    """A client that opens a new connection for every request."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(base_url=workers.site, limits=limits, timeout=30) as client:
        yield client


def statuses(client: httpx2.Client, auth: tuple[str, str]) -> set[int]:
    """The answers to new connections, several at once."""

    def ask(_number: int) -> int:
        return client.get("/api/v1/users/me", auth=auth).status_code

    with ThreadPoolExecutor(6) as pool:
        return set(pool.map(ask, range(CONNECTIONS)))


def test_every_worker_refuses_a_replaced_key_and_accepts_the_new_one(
    workers: RunningServer, client: httpx2.Client
) -> None:
    old = workers.api_key_of()
    assert statuses(client, (OWNER_EMAIL, old)) == {200}
    for _ in range(3):
        answer = client.post("/api/v1/users/me/api_key/regenerate", auth=(OWNER_EMAIL, old))
        new = answer.json()["api_key"]
        assert statuses(client, (OWNER_EMAIL, old)) == {401}
        assert statuses(client, (OWNER_EMAIL, new)) == {200}
        old = new


def test_of_many_calls_that_replace_a_key_at_once_on_any_worker_one_succeeds(
    workers: RunningServer, client: httpx2.Client
) -> None:
    key = workers.api_key_of()

    def regenerate(_number: int) -> httpx2.Response:
        return client.post("/api/v1/users/me/api_key/regenerate", auth=(OWNER_EMAIL, key))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(regenerate, range(16)))
    succeeded = [answer.json()["api_key"] for answer in answers if answer.status_code == 200]
    assert succeeded == [workers.api_key_of()]
    assert {answer.status_code for answer in answers} == {200, 401}


def test_failed_passwords_are_counted_by_all_workers_together(client: httpx2.Client) -> None:
    def fail(_number: int) -> int:
        form = {"username": OWNER_EMAIL, "password": "wrong"}
        return client.post("/api/v1/fetch_api_key", data=form).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(fail, range(12))) == [401] * 5 + [429] * 7
    right = {"username": OWNER_EMAIL, "password": OWNER_PASSWORD}
    assert client.post("/api/v1/fetch_api_key", data=right).status_code == 429
