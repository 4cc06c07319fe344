"""A call of the API as a value: method, path, parameters, and a function that reads the answer. It is not sent yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, so a call may be repeated if its outcome is unknown."""


class FilePart(NamedTuple):
    """A file to upload."""

    name: str
    content: bytes

    def __repr__(self) -> str:
        return f"FilePart({self.name!r})"


class Operation(NamedTuple, Generic[T]):
    """A call of the API that is not made yet. `path` is quoted and below `/api/v1/`; `read` makes the typed result.

    `timeout` is in seconds; None means the client's own. Without `authenticated`, the key is not sent.
    """

    method: str
    path: str
    read: Callable[[Mapping[str, Any]], T]
    parameters: Mapping[str, object] = MappingProxyType({})
    files: tuple[FilePart, ...] = ()
    authenticated: bool = True
    timeout: float | None = None

    def __repr__(self) -> str:
        return f"Operation({self.method} {self.path})"

    @property
    def is_safe(self) -> bool:
        """Whether the call changes nothing on the server."""
        return self.method in SAFE_METHODS
