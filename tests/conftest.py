"""Fixtures that every test may ask for."""

from __future__ import annotations

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
