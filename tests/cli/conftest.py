"""Fixtures for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import CommandLine


@pytest.fixture
def keybearer(tmp_path: Path) -> CommandLine:
    """The command line of a person with an empty home."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return CommandLine(home)
