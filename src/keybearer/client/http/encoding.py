"""A request in the form that httpcore2 sends, and its response in ours: address, headers, forms, files and gzip."""

from __future__ import annotations

import zlib
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpcore2

from keybearer.client.flow.steps import Request, Response
from keybearer.secret import Secret

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, whatever the timeout of the response."""

_PORTS = {"http": 80, "https": 443}
_KEPT = "!$%&'()*+,/:;=?@[]~"
"""The characters of a path or a query that are sent as they are. The rest is percent-encoded."""

_GZIP = 16 + zlib.MAX_WBITS


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


def _address(text: str) -> tuple[httpcore2.URL, str]:
    """The URL, and the Host header for it."""
    try:
        parts = urlsplit(text)
        host, port = host_in_ascii(parts.hostname or ""), parts.port
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_KEPT)
    except ValueError:
        raise UnusableAddress("not an address") from None
    shown = f"[{host}]" if ":" in host else host
    is_usual = port in {None, _PORTS.get(parts.scheme)}
    url = httpcore2.URL(scheme=parts.scheme, host=host, port=port, target=target)
    return url, shown if is_usual else f"{shown}:{port}"


def host_in_ascii(host: str) -> str:
    """The host as DNS knows it: `bücher.example` is `xn--bcher-kva.example`. Raises ValueError if it is not one."""
    if host.isascii():
        return host
    import idna  # noqa: PLC0415 - loads slowly, and few hosts need it

    return idna.encode(host.lower()).decode("ascii")


def decoded(response: httpcore2.Response) -> Response:
    """The response as one of ours. Raises Garbled."""
    headers = {name.decode("ascii").lower(): value.decode("utf-8", "replace") for name, value in response.headers}
    return Response(response.status, headers, _unzipped(response.content, headers.get("content-encoding", "")))


def _unzipped(body: bytes, encoding: str) -> bytes:
    if not body or encoding.lower() in {"", "identity"}:
        return body
    if encoding.lower() not in {"gzip", "x-gzip"}:
        raise Garbled("of an encoding that was not asked for")
    try:
        return zlib.decompress(body, _GZIP)
    except zlib.error:
        raise Garbled("not gzip") from None
