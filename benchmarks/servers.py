"""Servers to measure: Keybearer on either database with accounts in it, and the bare application."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.databases import PostgreSQLServer
from tests.server_process import started_server

from benchmarks.load import Credential
from benchmarks.population import Population, populate
from benchmarks.processes import Server
from keybearer.server.settings import Settings

SQLITE = "SQLite"
POSTGRESQL = "PostgreSQL"

_ENVIRON = {"KEYBEARER_API_LIMIT": "1000000000/minute", "KEYBEARER_FAILURE_LIMIT": "1000000000/minute"}
"""Calls are counted as usual, but the limit of an account is too high to be reached."""


@dataclass(frozen=True)
class Installation:
    """A running server and the credentials of its accounts."""

    server: Server
    credentials: list[Credential]


@contextmanager
def installation(
    wanted: Population, *, postgresql: PostgreSQLServer | None = None, workers: int = 1
) -> Iterator[Installation]:
    """A server on its own database: an SQLite file, or a database of the PostgreSQL server."""
    with temporary_directory() as directory:
        url = None if postgresql is None else postgresql.url(postgresql.create_database("template0"))
        settings = Settings(data_dir=directory / "data", database_url=url or "")
        credentials = asyncio.run(populate(settings, wanted))
        database = [] if url is None else ["--database-url", url]
        flags = ["--workers", str(workers), *database]
        with started_server(settings.data_dir, *flags, environ=_ENVIRON) as running:
            yield Installation(Server(running.port, running.process.pid), credentials)


@contextmanager
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """A PostgreSQL server that keeps what was committed, other than that of the tests."""
    with temporary_directory() as directory:
        server = PostgreSQLServer(directory)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.execute(f"ALTER SYSTEM RESET {setting}")
        server.execute("SELECT pg_reload_conf()")
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory for temporary files on the disk, removed when the block ends."""
    directory = Path(tempfile.mkdtemp(prefix="keybearer-benchmark-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def bare_server(*arguments: str) -> Iterator[Server]:
    """The bare application, running."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.bare", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        while not _is_listening(port):
            time.sleep(0.05)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
