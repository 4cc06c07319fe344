"""What PostgreSQL's errors, and asyncpg's, mean for whoever runs the server."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from keybearer.errors import StorageError

LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises if a connection can no longer be used. It raises InternalClientError for a connection that the
server has just ended between two statements.
"""

_OUTAGE_ERRORS = (
    OperationalError,
    InterfaceError,
    InternalError,
    TimeoutError,
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_OUTAGES = ("08", "25006", "40", "53", "55", "57", "58", "XX")
"""How the server's codes for its own failures begin: no connection, read-only, rolled back, out of resources, not
ready, stopped by its operator, disk failure, internal error (PostgreSQL's appendix A).
"""

LOCK_NOT_AVAILABLE = "55P03"
"""The code for a lock that was not released in time."""

_NO_ACCESS = ("42501", "42P01")
"""The codes for a missing permission and a missing table. Both were there when the database was opened."""


def _servers_own(error: BaseException) -> BaseException:
    """The error as asyncpg raised it."""
    own = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig is not None else None
    return own or error


def code_of(error: Exception) -> str:
    """The server's code for an error of its own. Empty for other errors."""
    return str(getattr(_servers_own(error), "sqlstate", ""))


def explain(error: Exception) -> StorageError | None:
    """What a failure means for whoever runs the server. None if it is not one of the database's own."""
    if isinstance(error, PoolTimeout):
        return StorageError("The database is too busy", hint="Try again in a moment.")
    code = code_of(error)
    if code in _NO_ACCESS:
        refusal = str(_servers_own(error)).partition("\n")[0]
        return StorageError(
            f"The PostgreSQL server refuses a statement: {refusal}",
            hint="Check that the user in KEYBEARER_DATABASE_URL owns all tables, and that none is missing.",
        )
    if (
        isinstance(error, _OUTAGE_ERRORS)
        or code.startswith(_OUTAGES)
        or (isinstance(error, DBAPIError) and error.connection_invalidated)
    ):
        return cannot_be_used()
    return None


def cannot_be_used() -> StorageError:
    """What an outage means for whoever runs the server."""
    return StorageError("The PostgreSQL server cannot be used", hint="Check that it is running, then try again.")


NOT_LET_IN = (
    OSError,
    ValueError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""What asyncpg raises while it opens a connection."""


def connection_error(error: Exception) -> StorageError:
    """Why no connection could be opened, and what to do about it."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return StorageError(
            "None of the PostgreSQL servers in the address accepts changes: they are standbys, or read-only",
            hint="Promote a standby, or set KEYBEARER_DATABASE_URL to the primary.",
        )
    if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
        return StorageError(
            "The PostgreSQL server refuses the user or the password", hint="Check KEYBEARER_DATABASE_URL."
        )
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return StorageError("The database does not exist on the PostgreSQL server", hint="Create it with createdb.")
    if isinstance(error, asyncpg.PostgresError):
        return StorageError(
            f"The PostgreSQL server refuses the connection ({error.sqlstate})",
            hint="The log of the PostgreSQL server says why.",
        )
    if isinstance(error, ValueError | asyncpg.InterfaceError):
        return StorageError("The address of the PostgreSQL database is malformed", hint="Check KEYBEARER_DATABASE_URL.")
    return StorageError(
        "The PostgreSQL server cannot be reached",
        hint="Check that it is running, and that the host and port in its address are right.",
    )
