"""The steps of a call, and what they carry: a request, its response or failure. Pure: no HTTP library takes part."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from keybearer.client.models.event_queues import Event
from keybearer.client.operations.operation import FilePart
from keybearer.errors import ConnectionFailed
from keybearer.secret import Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request, ready to be sent. `form` is None where there is no body; secrets are revealed by what sends it."""

    method: str
    url: str
    timeout: float
    user_agent: str
    authorization: Secret | None = None
    form: tuple[tuple[str, str | Secret], ...] | None = None
    files: tuple[FilePart, ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer. `sent` is False where the server has surely not got the request."""

    error: ConnectionFailed
    sent: bool


@dataclass(frozen=True, slots=True)
class Send:
    """Step: send the request. Its outcome is a Response or a Failure."""

    request: Request


@dataclass(frozen=True, slots=True)
class Pause:
    """Step: let so many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CallFunction:
    """Step: call the function, which may take its time over files; its outcome is what it returns."""

    function: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Deliver:
    """Step of an event loop: hand an event to the bot."""

    event: Event


Step: TypeAlias = Send | Pause | CallFunction | Deliver
Flow: TypeAlias = Generator[Step, Any, T]
"""A call as steps. It yields a step, is sent the outcome, and returns the value of the call, or raises."""


def send(request: Request) -> Flow[Response | Failure]:
    """The step of sending, typed."""
    outcome: Response | Failure = yield Send(request)
    return outcome


def pause(seconds: float) -> Flow[None]:
    """The step of waiting, typed."""
    yield Pause(seconds)


def call_function(function: Callable[[], T]) -> Flow[T]:
    """The step of calling, typed."""
    outcome: T = yield CallFunction(function)
    return outcome
