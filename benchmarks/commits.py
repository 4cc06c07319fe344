"""Bare durable commits of one small row each: the upper limit for a database on this disk."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from benchmarks.rounds import Measured, repeated

Commits = Callable[[float], Measured]
"""A function that commits for this many seconds."""


@contextmanager
def sqlite_commits(directory: Path) -> Iterator[Commits]:
    """On a new SQLite file, set as Keybearer sets its own: WAL and synchronous=FULL."""
    connection = sqlite3.connect(directory / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")

    def commit() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO bare (text) VALUES ('x')")
        connection.execute("COMMIT")

    yield lambda seconds: repeated(commit, seconds)
    connection.close()


@contextmanager
def postgresql_commits(url: str, *, connections: int) -> Iterator[Commits]:
    """On a PostgreSQL database that waits for its disk, over this many connections at once."""
    with asyncio.Runner() as runner:

        async def begin() -> list[asyncpg.Connection]:
            opened = [await asyncpg.connect(url) for _ in range(connections)]
            await opened[0].execute("CREATE TABLE IF NOT EXISTS bare (id SERIAL PRIMARY KEY, text TEXT NOT NULL)")
            return opened

        async def commit(seconds: float) -> Measured:
            latencies: list[float] = []
            begun = time.perf_counter()

            async def commit_repeatedly(connection: asyncpg.Connection) -> None:
                while (sent := time.perf_counter()) - begun < seconds:
                    await connection.execute("INSERT INTO bare (text) VALUES ('x')")
                    latencies.append(time.perf_counter() - sent)

            await asyncio.gather(*(commit_repeatedly(each) for each in opened))
            return Measured(time.perf_counter() - begun, sorted(latencies))

        opened = runner.run(begin())
        yield lambda seconds: runner.run(commit(seconds))
        for connection in opened:
            runner.run(connection.close())
