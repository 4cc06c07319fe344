"""A long answer that is sent in pieces: all of it, or the part that the client requests."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from keybearer.server.domain.errors import Refused
from keybearer.server.http.request import Request

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def wanted_part(request: Request, size: int) -> tuple[int, int] | None:
    """The start and the end of the bytes that the client requests. None if no byte is in the requested range.

    A request for several parts, or for a part of a known version, gets everything: RFC 9110 allows it.
    """
    match = _RANGE.fullmatch((request.header(b"range") or "").replace(" ", ""))
    if match is None or match[0] == "bytes=-" or request.header(b"if-range") is not None:
        return 0, size
    first, last = match[1], match[2]
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if first and last and int(last) < int(first):
        return 0, size
    return (start, end) if start < end else None


class PartialResponse(Response):
    """The requested part of something. `read` returns the bytes from one position to another."""

    def __init__(
        self, request: Request, size: int, read: Callable[[int, int], AsyncIterator[bytes]], headers: Mapping[str, str]
    ) -> None:
        part = wanted_part(request, size)
        self._read = read
        self._start, self._end = part or (0, 0)
        self._is_head = request.is_head
        super().__init__(None, 416 if part is None else 200 if part == (0, size) else 206, headers)
        self.headers["accept-ranges"] = "bytes"
        self.headers["content-length"] = str(self._end - self._start)
        if part is None:
            self.headers["content-range"] = f"bytes */{size}"
        elif self.status_code == 206:
            self.headers["content-range"] = f"bytes {self._start}-{self._end - 1}/{size}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. If it cannot be read to its end, the answer ends early, which clients notice by its length."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if not self._is_head:
            try:
                async for piece in self._read(self._start, self._end):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except Refused:
                return
        await send({"type": "http.response.body", "body": b""})
