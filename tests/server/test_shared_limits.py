"""Limits that all workers and machines share in a Redis. Without it, each worker uses its own count."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from keybearer.errors import SettingError
from keybearer.server import checks
from keybearer.server.domain.errors import TooManyAttempts
from keybearer.server.http import shared_limits
from keybearer.server.http.shared_limits import SharedWindows
from keybearer.server.settings import Limit, Settings
from tests.in_process import InProcessServer, prepared, serving
from tests.redis_server import PASSWORD, RedisServer, running_redis
from tests.server_process import run_keybearer

WRONG = ("nobody@example.com", "a" * 32)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


@asynccontextmanager
async def two_machines(
    tmp_path: Path, database_url: str, limits_url: str
) -> AsyncIterator[tuple[InProcessServer, InProcessServer]]:
    """Two servers that allow four calls and three failed keys in a minute."""
    options: dict[str, Any] = {"api_limit": "4/minute", "failure_limit": "3/minute", "limits_url": limits_url}
    one = prepared(tmp_path / "one", database_url=database_url, **options)
    other = prepared(tmp_path / "other", database_url=database_url, **options)
    other.secrets_file.write_bytes(one.secrets_file.read_bytes())
    async with serving(one) as first, serving(other) as second:
        yield first, second


async def statuses(servers: tuple[InProcessServer, ...], auth: tuple[str, str], rounds: int) -> list[int]:
    """The answers of the servers in turn."""
    return [
        (await server.client().get("/api/v1/users/me", auth=auth)).status_code
        for _ in range(rounds)
        for server in servers
    ]


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == shared_limits.__name__]


async def test_two_machines_count_calls_and_failed_keys_together(
    tmp_path: Path, sqlite_url: str, redis: RedisServer
) -> None:
    async with two_machines(tmp_path, sqlite_url, redis.url) as machines:
        hamlet, othello = [await machines[0].add_person(name) for name in ("hamlet", "othello")]
        first = await machines[0].client().get("/api/v1/users/me", auth=hamlet.auth)
        second = await machines[1].client().get("/api/v1/users/me", auth=hamlet.auth)
        assert [each.headers["x-ratelimit-remaining"] for each in (first, second)] == ["3", "2"]
        assert await statuses(machines, hamlet.auth, 2) == [200, 200, 429, 429]
        limited = await machines[1].client().get("/api/v1/users/me", auth=hamlet.auth)
        assert 0 < float(limited.headers["retry-after"]) <= 60
        assert await statuses(machines, WRONG, 2) == [401, 401, 401, 429]
        assert await statuses(machines, othello.auth, 2) == [200] * 4  # from the same address


async def test_a_named_key_uses_only_its_share_on_all_machines(
    tmp_path: Path, sqlite_url: str, redis: RedisServer
) -> None:
    async with two_machines(tmp_path, sqlite_url, redis.url) as machines:
        hamlet = await machines[0].add_person("hamlet")
        made = (
            await machines[0]
            .client()
            .post("/api/v1/users/me/api_keys", auth=hamlet.auth, data={"name": "script", "scopes": '["read"]'})
        )
        named = (hamlet.email, made.json()["api_key"])
        assert await statuses(machines, named, 2) == [200, 200, 429, 429]
        assert await statuses(machines, hamlet.auth, 1) == [200, 429]  # 4 calls: one that created the key, two with it


async def test_while_redis_is_unavailable_each_machine_uses_its_own_count_with_one_line_in_its_log(
    tmp_path: Path, sqlite_url: str, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_machines(tmp_path, sqlite_url, redis.url) as machines:
        hamlet = await machines[0].add_person("hamlet")
        assert await statuses(machines, hamlet.auth, 1) == [200, 200]
        redis.stop()
        assert await statuses(machines, WRONG, 3) == [401] * 6
        assert await statuses(machines, hamlet.auth, 4) == [200] * 6 + [429] * 2  # three more on each machine
    lines = warned(caplog)
    assert len(lines) == 2
    assert all("this worker counts calls by itself" in line for line in lines)
    assert PASSWORD not in caplog.text


LIMIT = Limit(3, 60)


async def test_redis_is_tried_again_later_and_the_log_says_once_that_it_is_available(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    shared = SharedWindows(redis.url, again_after=1.0)
    try:
        assert await shared.count("calls", LIMIT, 1) is not None
        redis.stop()
        assert [await shared.count("calls", LIMIT, 1) for _ in range(20)] == [None] * 20
        redis.start()
        await asyncio.sleep(1.0)
        counted = [await shared.count("calls", LIMIT, 1) for _ in range(3)]
        assert [each and each.remaining for each in counted] == [2, 1, 0]
        with pytest.raises(TooManyAttempts):
            await shared.count("calls", LIMIT, 1)
    finally:
        await shared.close()
    assert len(warned(caplog)) == 2


async def test_a_redis_that_never_answers_delays_one_request_and_not_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held: list[asyncio.StreamWriter] = []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as silent:
        shared = SharedWindows(f"redis://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
        assert [await shared.count("calls", LIMIT, 1) for _ in range(50)] == [None] * 50
        assert len(held) == 1
        await shared.close()
        for writer in held:
            writer.close()
    assert len(warned(caplog)) == 1


async def test_concurrent_calls_are_counted_exactly(redis: RedisServer) -> None:
    first, second = (SharedWindows(redis.url, answered_within=30.0) for _ in range(2))
    limit = Limit(100, 60)
    try:
        counted = await asyncio.gather(
            *(shared.count("calls", limit, "x") for _ in range(100) for shared in (first, second)),
            return_exceptions=True,
        )
        connected = redis.connections()
    finally:
        for shared in (first, second):
            await shared.close()
    assert sum(isinstance(each, TooManyAttempts) for each in counted) == 100
    assert connected <= 2 * shared_limits.CONNECTIONS


def start_says(tmp_path: Path, environ: dict[str, str]) -> str:
    """What a start prints, which ends at its missing certificate."""
    missing = tmp_path / "missing.pem"
    command = ("serve", "--data-dir", tmp_path / "data", "--port", "0", "--tls-cert", missing, "--tls-key", missing)
    return run_keybearer(*command, environ={"KEYBEARER_WORKERS": "2", **environ}).stderr


def test_the_start_warns_if_several_workers_count_separately(tmp_path: Path) -> None:
    assert "each of 2 workers counts calls by itself" in start_says(tmp_path, {})
    said = start_says(tmp_path, {"KEYBEARER_LIMITS_URL": f"redis://:{PASSWORD}@127.0.0.1"})
    assert "by itself" not in said
    assert PASSWORD not in said


async def check_says(settings: Settings) -> str:
    (said,) = [each.message async for each in checks.check(settings) if each.about == "limits"]
    return said


async def test_the_check_before_a_start_says_whether_redis_answers(tmp_path: Path, redis: RedisServer) -> None:
    shared = Settings(data_dir=tmp_path, limits_url=redis.url)
    assert "for all workers and machines together" in await check_says(shared)
    redis.stop()
    assert "does not answer" in await check_says(shared)
    assert "by itself" in await check_says(Settings(data_dir=tmp_path, workers=3))


@pytest.mark.parametrize(
    "url", [f"u:{PASSWORD}@h:6379", f"http://u:{PASSWORD}@h", "redis://", "redis+unix://s", "memory://"]
)
def test_an_invalid_redis_url_is_refused_by_variable_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingError, match="KEYBEARER_LIMITS_URL") as caught:
        Settings(data_dir=tmp_path, limits_url=url)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["redis://h", "rediss://u:p@h:1/2", "valkey://h:1", "valkeys://h", "redis+unix:///run/redis.sock?db=1"]
)
async def test_every_form_of_the_address_is_understood(tmp_path: Path, url: str) -> None:
    settings = Settings(data_dir=tmp_path, limits_url=url)
    assert url not in repr(settings)
    shared = SharedWindows(settings.limits_url)
    await shared.close()


def test_a_url_with_an_invalid_port_is_refused_at_the_start(tmp_path: Path) -> None:
    environ = {"KEYBEARER_LIMITS_URL": f"redis://:{PASSWORD}@h:port"}
    done = run_keybearer("serve", "--data-dir", tmp_path / "data", "--port", "0", environ=environ)
    assert done.returncode == 1
    assert "KEYBEARER_LIMITS_URL" in done.stderr
    assert PASSWORD not in done.stderr


def test_if_the_redis_package_is_missing_the_start_says_how_to_install_it(tmp_path: Path) -> None:
    program = (
        "import importlib.machinery as m; find = m.PathFinder.find_spec\n"
        "m.PathFinder.find_spec = lambda name, *more: None if name == 'redis' else find(name, *more)\n"
        "from keybearer.server.http.shared_limits import SharedWindows\n"
        "try: SharedWindows('redis://h')\n"
        "except Exception as error: print(type(error).__name__, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "StorageError Install it with: pip install 'keybearer[server,redis]'\n", done.stderr
