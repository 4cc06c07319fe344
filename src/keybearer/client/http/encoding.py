"""A request in the form that httpcore2 sends, and its response in ours: address, headers, forms, files and gzip."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any, final
from urllib.parse import quote, urlencode, urlsplit

import httpcore2

from keybearer.client.flow.steps import Request, Response
from keybearer.secret import Secret

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, whatever the timeout of the response."""

_PORTS = {"http": 80, "https": 443}
_KEPT = "!$%&'()*+,/:;=?@[]~"
"""The characters of a path or a query that are sent as they are. The rest is percent-encoded."""

LARGEST_BODY = 256 * 1024 * 1024
"""Bytes that the body of a response may have, also when it is unpacked, so that no server can fill the memory. Zulip's
largest answers have some ten million."""

MOST_MEMBERS = 100
"""Gzip files that one body may consist of. Each is a copy of the rest, so that many would take minutes."""

_GZIP = 16 + zlib.MAX_WBITS
_NOT_ASKED_FOR = {"br", "compress", "deflate", "x-compress", "zstd"}
"""The other encodings of the registry. What else stands in Content-Encoding changes nothing, such as `utf-8`."""


class UnusableAddress(ValueError):
    """The address of a request cannot be sent, such as one with an invalid host name."""


class Garbled(Exception):
    """The body of a response cannot be decoded."""


def encoded(request: Request) -> dict[str, Any]:
    """The arguments for `request()` of httpcore2's connection pools. Raises UnusableAddress."""
    url, host = _address(request.url)
    headers = {
        "Host": host,
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "Accept-Language": "en",
        "User-Agent": request.user_agent,
    }
    if request.authorization is not None:
        headers["Authorization"] = request.authorization.reveal()
    content: bytes | None = None
    if request.form is not None:
        pairs = [(name, value.reveal() if isinstance(value, Secret) else value) for name, value in request.form]
        if request.files:
            from keybearer.client.http.multipart import multipart  # noqa: PLC0415 - few programs upload files

            headers["Content-Type"], content = multipart(pairs, request.files)
        else:
            headers["Content-Type"], content = "application/x-www-form-urlencoded", urlencode(pairs).encode("ascii")
    seconds = request.timeout
    timeouts = {"connect": min(CONNECT_TIMEOUT, seconds), "read": seconds, "write": seconds, "pool": seconds}
    return {
        "method": request.method,
        "url": url,
        "headers": headers,
        "content": content,
        "extensions": {"timeout": timeouts},
    }


@lru_cache(maxsize=128)
def _address(text: str) -> tuple[httpcore2.URL, str]:
    """The URL, and the Host header for it. Programs repeat their calls, and a URL never contains a secret."""
    try:
        parts = urlsplit(text)
        host, port = host_in_ascii(parts.hostname or ""), parts.port
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_KEPT)
    except ValueError:
        raise UnusableAddress("not an address") from None
    shown = f"[{host.partition('%')[0]}]" if ":" in host else host  # a zone means something on this machine only
    is_usual = port in {None, _PORTS.get(parts.scheme)}
    url = httpcore2.URL(scheme=parts.scheme, host=host, port=port, target=target)
    return url, shown if is_usual else f"{shown}:{port}"


def host_in_ascii(host: str) -> str:
    """The host as DNS knows it: `bücher.example` is `xn--bcher-kva.example`. Raises ValueError if it is not one."""
    if host.isascii():
        return host
    import idna  # noqa: PLC0415 - loads slowly, and few hosts need it

    return idna.encode(host.lower()).decode("ascii")


@final
class Body:
    """The body of a response, part by part."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """Add what was received. Raises Garbled if the body is too large."""
        self._size += len(part)
        if self._size > LARGEST_BODY:
            raise Garbled("too large")
        self._parts.append(part)

    def whole(self) -> bytes:
        """All that was added."""
        return b"".join(self._parts)


def decoded(response: httpcore2.Response, body: bytes) -> Response:
    """The response as one of ours. The values of a repeated header are joined. Raises Garbled."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("utf-8", "replace")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if body and "content-encoding" in headers:
        body = _without_encodings(body, headers["content-encoding"])
    return Response(response.status, headers, body)


def _without_encodings(body: bytes, encodings: str) -> bytes:
    for encoding in reversed([one.strip() for one in encodings.lower().split(",")]):
        if encoding in _NOT_ASKED_FOR:
            raise Garbled("of an encoding that was not asked for")
        if encoding in {"gzip", "x-gzip"}:
            body = _unzipped(body)
    return body


def _unzipped(body: bytes) -> bytes:
    """All members of a gzip file. Bytes after them are ignored, as other clients do."""
    parts: list[bytes] = []
    left = LARGEST_BODY
    for _ in range(MOST_MEMBERS):
        member = zlib.decompressobj(_GZIP)
        try:
            parts.append(member.decompress(body, left + 1))
        except zlib.error:
            raise Garbled("not gzip") from None
        left -= len(parts[-1])
        if left < 0:
            raise Garbled("too large when it is unpacked")
        if not member.eof:
            raise Garbled("not complete")
        body = member.unused_data
        if not body.startswith(b"\x1f\x8b"):
            return b"".join(parts)
    raise Garbled("in too many pieces")
