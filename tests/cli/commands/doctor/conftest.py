"""Fixtures of the doctor's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.command_line import CommandLine
from tests.cli.commands.doctor.patients import Patient, zulip
from tests.client.scripted_server import serving


@pytest.fixture
def patient(keybearer: CommandLine) -> Iterator[Patient]:
    """A person with a valid zuliprc and a server that answers."""
    with serving() as server:
        server.otherwise = zulip()
        person = Patient(keybearer, server)
        person.write()
        yield person
