"""Answers that are complete before any part of them is sent."""

from __future__ import annotations

import msgspec

Header = tuple[bytes, bytes]


class WholeResponse(msgspec.Struct, eq=False, gc=False):
    """A status, headers and a body. The front door adds its own headers and sends it. This is faster than wrapping
    `send` for an answer that sends itself.
    """

    status: int
    headers: list[Header]
    body: bytes
