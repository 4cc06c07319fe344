"""The pytest plugin: one fixture. Nothing of the server is imported before a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from keybearer.testing.server import Server


@pytest.fixture
def keybearer_server() -> Iterator[Server]:
    """A server of the test's own, with an organization and its owner."""
    from keybearer.testing import running_server  # noqa: PLC0415  only tests that want a server pay for it

    with running_server() as server:
        yield server
