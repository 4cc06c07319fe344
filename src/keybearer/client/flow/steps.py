"""The steps of a call, with requests, responses and failures. Pure: no HTTP library is used.

They are NamedTuples, since Python creates a dataclass five times as slowly, and every program waits for its imports.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

from keybearer.client import models
from keybearer.client.operations.operation import FilePart
from keybearer.errors import ConnectionFailed
from keybearer.secret import Secret

T = TypeVar("T")


class Request(NamedTuple):
    """A request that is ready to be sent. `form` is None if there is no body. The transport reveals the secrets."""

    method: str
    url: str
    timeout: float
    user_agent: str
    authorization: Secret | None = None
    form: tuple[tuple[str, str | Secret], ...] | None = None
    files: tuple[FilePart, ...] = ()


class Response(NamedTuple):
    """A response. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Response({self.status})"


class Failure(NamedTuple):
    """No response. `sent` is False if the server has certainly not received the request."""

    error: ConnectionFailed
    sent: bool


class Send(NamedTuple):
    """Step: send the request. Its outcome is a Response or a Failure."""

    request: Request


class Pause(NamedTuple):
    """Step: wait for this many seconds."""

    seconds: float


class CallFunction(NamedTuple):
    """Step: call the function, which may read or write files. Its outcome is what the function returns."""

    function: Callable[[], object]


class Deliver(NamedTuple):
    """Step of listening: give an event to the program that iterates."""

    event: models.Event


Step: TypeAlias = Send | Pause | CallFunction | Deliver
Flow: TypeAlias = Generator[Step, Any, T]
"""A call as steps. It yields each step, receives its outcome, and returns the value of the call or raises."""


def send(request: Request) -> Flow[Response | Failure]:
    """Yield the step Send, with a typed outcome."""
    outcome: Response | Failure = yield Send(request)
    return outcome


def pause(seconds: float) -> Flow[None]:
    """Yield the step Pause."""
    yield Pause(seconds)


def call_function(function: Callable[[], T]) -> Flow[T]:
    """Yield the step CallFunction, with a typed outcome."""
    outcome: T = yield CallFunction(function)
    return outcome
