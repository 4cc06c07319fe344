"""The pytest plugin with one fixture. The server is imported only when a test uses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from keybearer.testing.server import Server


@pytest.fixture
def keybearer_server() -> Iterator[Server]:
    """A server for this test only, with an organization and its owner."""
    from keybearer.testing import running_server  # noqa: PLC0415  only tests that want a server pay for it

    with running_server() as server:
        yield server
