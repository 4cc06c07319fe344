"""Answers that are known whole before anything of them is sent."""

from __future__ import annotations

from typing import final

from starlette.types import Receive, Scope, Send

Header = tuple[bytes, bytes]


@final
class WholeResponse:
    """A status, headers and a body. The front door adds its own headers and sends it, which is faster than to wrap
    `send` for an answer that sends itself."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[Header], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
