"""Fixtures for every test, and the number of test processes."""

from __future__ import annotations

import gc
import signal

import pytest
from hypothesis import settings

from tests import selection, temporary_files
from tests.databases import (
    database,
    database_url,
    empty_database_url,
    empty_postgresql_url,
    postgresql_server,
    postgresql_url,
    ring,
    sqlite_template,
    sqlite_url,
)

__all__ = [
    "database",
    "database_url",
    "empty_database_url",
    "empty_postgresql_url",
    "postgresql_server",
    "postgresql_url",
    "ring",
    "sqlite_template",
    "sqlite_url",
]

# A script that starts the tests in the background lets them ignore Ctrl-C, and the programs under test would too.
signal.signal(signal.SIGINT, signal.default_int_handler)

gc.disable()  # until everything is collected: see pytest_collection_finish
temporary_files.keep_in_memory()

# Every change is tested with the same cases. `make soak` looks for new ones.
settings.register_profile("same-cases", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("new-cases", deadline=None, print_blob=True)
settings.load_profile("same-cases")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a missing path, since several processes would find no tests without saying why."""
    complaint = selection.complaint_about(config.args, config.invocation_params.dir)
    if complaint is not None:
        raise pytest.UsageError(complaint)


def pytest_collection_finish() -> None:
    """Leave what was collected out of the search for garbage, and search less often than Python does by itself.

    A process holds all tests and all modules to its end. Scanning them again and again took a fifth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The number of processes if no option sets it."""
    return selection.processes_for(config.args, config.invocation_params.dir)
