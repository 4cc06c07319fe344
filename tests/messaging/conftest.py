"""A server for each file of tests, on SQLite and on PostgreSQL, with three people and a bot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from keybearer.testing import Participant, Server, running_server
from tests.databases import DIALECTS, PostgreSQLServer
from tests.in_process import InProcessServer, prepared, serving

ON_POSTGRESQL_IN_EVERY_RUN = (
    "test_visibility", "test_private_channels", "test_planted", "test_races", "test_lists", "test_statements",
    "test_delivery_statements", "test_channels", "test_large_data",
)  # fmt: skip
"""Files that depend on how a database sorts, locks and counts. The long run runs every file on PostgreSQL."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what only the long run runs."""
    if "[postgresql" in item.name and item.path.stem not in ON_POSTGRESQL_IN_EVERY_RUN:
        item.add_marker(pytest.mark.soak)


@dataclass(frozen=True)
class Play:
    """A server with its people: an owner, two members, and a generic bot of the owner."""

    server: Server
    owner: Participant
    hamlet: Participant
    cordelia: Participant
    bot: Participant


@pytest.fixture(scope="module", params=DIALECTS)
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    """One server for the tests of a file. Each test uses its own topics or people."""
    url = ""
    if request.param == "postgresql":
        postgresql: PostgreSQLServer = request.getfixturevalue("postgresql_server")
        url = postgresql.url(postgresql.create_database("template0"))
    with running_server(database_url=url) as server:
        hamlet, cordelia = server.add_person("Hamlet Prince"), server.add_person("Cordelia Lear")
        yield Play(server, server.owner, hamlet, cordelia, server.add_bot("Yorick", owner=hamlet))


@pytest_asyncio.fixture
async def server(tmp_path: Path, database_url: str) -> AsyncIterator[InProcessServer]:
    """A server in the process for one test, which may make many calls."""
    async with serving(prepared(tmp_path / "data", database_url=database_url, api_limit="100000/minute")) as server:
        yield server


@pytest.fixture
def connections_end_with_the_test(play: Play) -> Iterator[None]:
    """The server accepts a limited number of connections, and each participant keeps one."""
    before = len(play.server.participants)
    yield
    for participant in play.server.participants[before:]:
        participant.client.close()
