"""Servers in the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.in_process import InProcessServer, prepared, serving
from tests.server.crowd import World, new_world


@pytest.fixture
async def server(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """A server with an organization, on an SQLite file."""
    async with serving(prepared(tmp_path / "data", sqlite_template)) as server:
        yield server


@pytest.fixture
async def server_on_each(tmp_path: Path, database_url: str) -> AsyncIterator[InProcessServer]:
    """The same on SQLite and on PostgreSQL."""
    async with serving(prepared(tmp_path / "data", database_url=database_url)) as server:
        yield server


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    """A server for a crowd, on SQLite and on PostgreSQL."""
    async with serving(prepared(tmp_path / "data", database_url=database_url, api_limit="100000/minute")) as server:
        yield await new_world(server)
