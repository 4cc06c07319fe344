"""Answers in Zulip's shape: a status, a JSON body that ends in a newline, and headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from starlette.types import Send

from keybearer.server.domain.errors import Refused, TooManyAttempts, Unauthenticated
from keybearer.server.middleware.csrf import CSRFFailed

JSON = (b"content-type", b"application/json")
NEVER_CACHE = (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private")
VARY = (b"vary", b"Accept-Language, Cookie")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. `headers` come in the form that ASGI wants: lower-case names, bytes."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = (JSON, NEVER_CACHE)


def success(**fields: object) -> Answer:
    """Zulip's envelope for what went well."""
    return Answer(200, _encode({"result": "success", "msg": "", **fields}) + b"\n")


def failure(status: int, message: str, code: str, extra: Mapping[str, object] | None = None) -> Answer:
    """Zulip's envelope for what did not."""
    return Answer(status, _encode({"result": "error", "msg": message, **(extra or {}), "code": code}) + b"\n")


def method_not_allowed(allowed: Sequence[str]) -> Answer:
    """Zulip's 405. Its body has no final newline."""
    body = _encode({"result": "error", "msg": "Method Not Allowed", "allowed_methods": list(allowed)})
    return Answer(405, body, (JSON, (b"allow", ", ".join(allowed).encode())))


def options(allowed: Sequence[str]) -> Answer:
    """The answer to OPTIONS, which asks for no authentication."""
    return Answer(204, b"", ((b"allow", ", ".join(sorted(allowed)).encode()), (b"content-length", b"0")))


def internal_error() -> Answer:
    """Zulip's 500. Its body has no final newline."""
    return Answer(500, _encode({"result": "error", "msg": "Internal server error"}), (JSON, NEVER_CACHE))


def refusal(error: Refused, *, challenge: bytes | None = None) -> Answer:
    """The answer to what a rule forbids; `challenge` is the scheme that a 401 asks for."""
    status = _status(error)
    answer = failure(status, error.message, error.code, error.extra)
    headers = [JSON, NEVER_CACHE]
    if isinstance(error, TooManyAttempts):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    if status == 401 and challenge is not None:
        headers.append((b"www-authenticate", challenge + b' realm="zulip"'))
    return Answer(status, answer.body, headers)


def _status(error: Refused) -> int:
    if isinstance(error, Unauthenticated):
        return 401
    if isinstance(error, TooManyAttempts):
        return 429
    if isinstance(error, CSRFFailed):
        return 403
    return 404 if error.code == "NONEXISTENT_SUBDOMAIN" else 400


async def send_answer(send: Send, answer: Answer, *, with_body: bool = True) -> None:
    """Send an answer; without its body, but with the body's length, to a HEAD request."""
    headers = list(answer.headers)
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})
