"""Fixtures for the tests of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.cli.served import Person, Town, town_at
from tests.client.scripted_server import ScriptedServer


@pytest.fixture
def keybearer(tmp_path: Path) -> CommandLine:
    """The command line of a person with an empty home."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return CommandLine(home)


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A server, and people on it."""
    with town_at(tmp_path_factory.mktemp("town")) as town:
        yield town


@pytest.fixture
def person(town: Town) -> Person:
    """A new person on the server."""
    return town.person()


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server with scripted responses."""
    server = ScriptedServer()
    yield server
    server.close()
