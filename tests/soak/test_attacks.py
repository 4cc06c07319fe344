"""Every attack next to honest use, on a real server with two workers and on both databases. `make soak` runs it."""

from __future__ import annotations

import multiprocessing
import re
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.event_queues import Queue, QueueOptions
from keybearer.server.services import accounts as people
from keybearer.server.services.context import Context
from keybearer.server.storage import event_log
from tests.server_process import OWNER_EMAIL, RunningServer, running_server
from tests.soak.attacks import ATTACKS, CONNECTIONS, Attack, Person, Target, attack
from tests.soak.honest import Use, use

pytestmark = pytest.mark.soak

SECONDS = 8.0
QUIET = 2.0
PEOPLE = 20
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    environ = {"KEYBEARER_API_LIMIT": "1000000/minute"}
    if request.param == "postgresql":
        environ["KEYBEARER_DATABASE_URL"] = request.getfixturevalue("empty_postgresql_url")
    with running_server(tmp_path / request.param, "--workers", "2", environ=environ) as server:
        yield server


async def settle(context: Context) -> dict[str, tuple[str, ...]]:
    """Add the people who attack, with queues to poll. Returns the ids of the queues by email."""
    assert await context.realm.find() is not None
    queues: dict[str, tuple[str, ...]] = {}
    async with context.change(None) as change:
        for number in range(PEOPLE):
            email = f"person{number}@example.com"
            name = f"Person {number}"
            account = await people.add(change, email=email, full_name=name, role=Role.MEMBER, password_hash="none")
            queues[email] = tuple(secrets.token_hex(16) for _ in range(CONNECTIONS // PEOPLE))
            start = await event_log.last_id(change.connection)
            for queue_id in queues[email]:
                options = QueueOptions(event_types=("realm_emoji",))
                queue = Queue(queue_id, account.id, start, start, change.now, timedelta(days=1), options)
                await event_log.add_queue(change.connection, queue)
    return queues


def target_at(server: RunningServer) -> Target:
    queues = server.on_data(settle)
    known = tuple(Person(email, server.api_key_of(email), ids) for email, ids in queues.items())
    return Target(server.port, server.process.pid, Person(OWNER_EMAIL, server.api_key_of()), known)


def megabytes(target: Target) -> int:
    """The memory of all workers."""
    total = 0
    for pid in target.workers():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:  # killed in the meantime
            continue
        total += int(status.partition("VmRSS:")[2].split()[0]) if "VmRSS:" in status else 0
    return total // 1024


def honest_use(target: Target, seconds: float) -> Use:
    """The results of honest use, from a separate process."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        return pool.submit(use, target, seconds).result()


@contextmanager
def attacking(attacked: Attack, target: Target) -> Iterator[list[int]]:
    """The attack runs during the block. Yields the memory of the workers, second by second."""
    process = SPAWN.Process(target=attack, args=(attacked.name, target, attacked.ramp + 2 * SECONDS))
    samples: list[int] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.5):
            samples.append(megabytes(target))

    watching = threading.Thread(target=sample)
    process.start()
    watching.start()
    try:
        time.sleep(attacked.ramp)
        yield samples
    finally:
        over.set()
        watching.join()
        process.terminate()
        process.join()


def until_answered(server: RunningServer) -> None:
    for _ in range(60):
        try:
            httpx2.get(f"{server.site}/api/v1/server_settings", timeout=20)
        except httpx2.TransportError:
            time.sleep(0.5)
        else:
            return


def test_honest_requests_are_answered_during_every_attack(server: RunningServer) -> None:
    target = target_at(server)
    database = "PostgreSQL" if server.settings.database_url.startswith("postgres") else "SQLite"
    columns = ("p99 quiet, ms", "p99 attacked, ms", "memory before, peak, after, MB", "refused or lost")
    print(f"\n\n| attack ({database}) | {' | '.join(columns)} |")
    print("|---|---|---|---|---|", flush=True)
    failures: dict[str, list[str]] = {}
    for attacked in ATTACKS:
        quiet, before = honest_use(target, QUIET), megabytes(target)
        with attacking(attacked, target) as memory:
            seen = honest_use(target, SECONDS)
        until_answered(server)
        failures[attacked.name] = quiet.failures + seen.failures
        sizes = f"{before}, {max(memory)}, {megabytes(target)}"
        asked = len(seen.seconds) + seen.others
        lost = f"{len(seen.failures)} of {asked}"
        print(f"| {attacked.name} | {quiet.p99:.0f} | {seen.p99:.0f} | {sizes} | {lost} |", flush=True)
    assert not {name: failed[:5] for name, failed in failures.items() if failed}
    assert not re.search(r"front_door: \S+ \S+ failed", server.log.read_text())
