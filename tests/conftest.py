"""Fixtures that every test may ask for."""

from __future__ import annotations

from hypothesis import settings

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

# A change is judged by the same cases as the one before it. `make soak` looks for new ones.
settings.register_profile("same-cases", deadline=None, print_blob=True, derandomize=True)
settings.register_profile("new-cases", deadline=None, print_blob=True)
settings.load_profile("same-cases")
