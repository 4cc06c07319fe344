"""A call of the API as a value: method, path, parameters, and a function that reads the answer. It is not sent yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing, so a call may be repeated if its outcome is unknown."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file to upload."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """A call of the API that is not made yet. `path` is quoted and below `/api/v1/`; `read` makes the typed result.

    `timeout` is in seconds; None means the client's own. Without `authenticated`, the key is not sent.
    """

    method: str
    path: str
    read: Callable[[Mapping[str, Any]], T]
    parameters: Mapping[str, object] = field(default_factory=dict, repr=False)
    files: tuple[FilePart, ...] = ()
    authenticated: bool = True
    timeout: float | None = None

    @property
    def is_safe(self) -> bool:
        """Whether the call changes nothing on the server."""
        return self.method in SAFE_METHODS
