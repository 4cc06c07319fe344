"""Answers in Zulip's format: a status, a JSON body that ends in a newline, and headers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import formatdate

import msgspec
from msgspec.structs import replace

from keybearer.server.api.pieces import complete, is_long
from keybearer.server.domain.errors import (
    KeyRefused,
    NoSuchFile,
    Overloaded,
    PasswordNeeded,
    Refused,
    TooManyAttempts,
    TryLater,
    Unauthenticated,
)
from keybearer.server.domain.limits import Quota
from keybearer.server.http.admission import Admission
from keybearer.server.http.body import TooSlow
from keybearer.server.http.csrf import CSRFFailed
from keybearer.server.http.multipart import TooLarge
from keybearer.server.http.responses import Header, WholeResponse

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"

_encode = msgspec.json.Encoder().encode

_ALWAYS: tuple[Header, ...] = (
    # On every answer, not only on Zulip's successes: nothing that may contain a key or a name is kept in a cache.
    (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private"),
    (b"content-language", b"en"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_ANYWHERE: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-headers", b"Authorization"),
    (b"access-control-allow-methods", b"GET, POST, DELETE, PUT, PATCH, HEAD"),
)
"""Under `/api` browsers let any page read an answer, as in Zulip: a page of another site has no key to send."""

BY_KEY: tuple[Header, ...] = (*_ALWAYS, *_ANYWHERE, (b"vary", b"Accept-Language"))
API: tuple[Header, ...] = (*_ALWAYS, *_ANYWHERE, (b"vary", b"Accept-Language, Cookie"))
WEB: tuple[Header, ...] = (*_ALWAYS, (b"vary", b"Accept-Language, Cookie"))
TRANSPORT_SECURITY: Header = (b"strict-transport-security", b"max-age=31536000")


def key_expires(admission: Admission) -> Sequence[Header]:
    """The header for an answer to a key that expires: when, as in RFC 3339. None for other callers."""
    who = admission.identified
    at = None if who is None or who.key is None else who.key.grant.expires_at
    if at is None:
        return ()
    return ((b"keybearer-key-expires", at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()),)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What is sent back: fields of a JSON object, or raw bytes. `quota` is what a limit leaves.

    If `is_success`, Zulip's envelope for a success is put around the fields when they are encoded.
    """

    status: int
    content: Mapping[str, object] | bytes
    headers: tuple[Header, ...] = ()
    quota: Quota | None = None
    content_type: bytes = JSON
    is_success: bool = False

    def with_quota(self, quota: Quota | None) -> Answer:
        """The same answer, which also reports one more limit."""
        if quota is None:
            return self
        return replace(self, quota=quota.merged(self.quota))

    def naming(self, unsupported: Sequence[str]) -> Answer:
        """The same success, which also names the parameters that nobody read."""
        assert isinstance(self.content, Mapping)
        return replace(self, content={**self.content, "ignored_parameters_unsupported": unsupported})


_SUCCESS = b'{"result":"success","msg":""'
"""How every success begins. Its fields follow."""

_NO_FIELDS: Mapping[str, object] = {}


def success(fields: Mapping[str, object] = _NO_FIELDS, /, **more: object) -> Answer:
    """A success with these fields, which are not copied if they come as one mapping."""
    return Answer(200, {**fields, **more} if more else fields, is_success=True)


async def in_pieces(answer: Answer) -> Answer:
    """The same answer, already encoded if it is a long success. Other work gets a turn in the meantime."""
    content = answer.content
    if not answer.is_success or isinstance(content, bytes) or not is_long(content):
        return answer
    return replace(answer, content=await complete(_SUCCESS, content), is_success=False)


def method_not_allowed(allowed: Sequence[str]) -> Answer:
    """Zulip's 405. Its body has no final newline, and its content type is another name for JSON."""
    body = _encode({"result": "error", "msg": "Method Not Allowed", "allowed_methods": list(allowed)})
    return Answer(405, body, ((b"allow", ", ".join(allowed).encode()),), content_type=HTML)


def options(allowed: Sequence[str]) -> Answer:
    """The answer to OPTIONS, which needs no authentication."""
    return Answer(204, b"", ((b"allow", ", ".join(sorted(allowed)).encode()),), content_type=HTML)


def internal_error() -> Answer:
    """Zulip's 500. Its body has no final newline."""
    return Answer(500, _encode({"result": "error", "msg": "Internal server error"}))


def bad_host() -> Answer:
    """The plain page for a request whose host is not valid."""
    return Answer(400, b"<!doctype html>\n<title>Bad Request</title>\n<h1>Bad Request (400)</h1>\n", content_type=HTML)


def redirect(path: str) -> Answer:
    """The redirect to a page, for somebody who asked with a browser."""
    return Answer(302, b"", ((b"location", path.encode("ascii")),), content_type=HTML)


def refusal(error: Refused, *, challenge: bytes | None = None) -> Answer:
    """Zulip's envelope for a refusal. `challenge` is the scheme that a 401 asks for."""
    status = _status(error)
    headers: list[Header] = []
    if isinstance(error, TryLater):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    if status == 401 and challenge is not None:
        headers.append((b"www-authenticate", challenge + b' realm="zulip"'))
    content = {"result": "error", "msg": error.wire_message, **error.extra, "code": error.code}
    return Answer(status, content, tuple(headers), error.quota)


_STATUSES: tuple[tuple[type[Refused], int], ...] = (
    (Unauthenticated, 401),
    (TooManyAttempts, 429),
    (CSRFFailed, 403),
    (PasswordNeeded, 403),
    (KeyRefused, 403),
    (TooLarge, 413),
    (TooSlow, 408),
    (Overloaded, 503),
    (NoSuchFile, 404),
)


def _status(error: Refused) -> int:
    otherwise = 404 if error.code in ("NONEXISTENT_SUBDOMAIN", "NOT_AVAILABLE") else 400
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), otherwise)


def response(
    answer: Answer, headers: tuple[Header, ...], quota: Quota | None = None, *, with_body: bool = True
) -> WholeResponse:
    """An answer with the headers of its kind, and those of a quota in addition to its own.

    For HEAD it has no body, but the same length.
    """
    content = answer.content
    body = content if isinstance(content, bytes) else _encode(content) + b"\n"
    if answer.is_success:
        body = b"%b%b%b" % (_SUCCESS, b"," if content else b"", body[1:])
    everything = [
        (b"content-type", answer.content_type),
        *headers,
        (b"expires", _http_date(int(time.time()))),
        *answer.headers,
    ]
    if answer.status != 204:
        everything.append((b"content-length", b"%d" % len(body)))
    left = quota if answer.quota is None else answer.quota.merged(quota)
    if left is not None:
        everything += (
            (b"x-ratelimit-limit", b"%d" % left.limit),
            (b"x-ratelimit-remaining", b"%d" % left.remaining),
            (b"x-ratelimit-reset", b"%d" % left.reset),
        )
    return WholeResponse(answer.status, everything, body if with_body else b"")


class _HTTPDate:
    """The date of the current second, which is formatted once a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = 0
        self._text = b""

    def __call__(self, second: int) -> bytes:
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True).encode()
        return self._text


_http_date = _HTTPDate()
