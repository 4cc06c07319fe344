"""The body of a request, limited in size and time, and the fields in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.types import Receive

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.http.limits import HeldBody
from keybearer.server.http.multipart import (
    MOST_FIELDS,
    FileContent,
    FormUnreadable,
    MultipartForm,
    TooLarge,
    UploadedFile,
)
from keybearer.server.http.request import Request
from keybearer.server.services.context import Context

PIECE_WITHIN = 30.0
"""Seconds for each piece of a body, regardless of the time for the whole body."""


_LONG_FORM = 20_000
"""Bytes of a form up to which it is parsed in the event loop."""


class BodyLimits(NamedTuple):
    """How much of a body a route accepts.

    In this order: bytes of the texts of a form; bytes of a whole form with files; seconds for the whole body; what
    receives the content of a file (it is given the caller and the size of the request in bytes, None if unknown); and
    whether a body without files is kept as it arrived, without looking for fields in it.
    """

    form: int
    multipart: int
    seconds: float
    keeper: Callable[[Context, Caller, int | None], FileContent] | None = None
    keeps_raw: bool = False

    @classmethod
    def widest(cls, several: Iterable[BodyLimits]) -> BodyLimits:
        """The limits that accept everything that any of these accept."""
        each = list(several)
        return cls(
            max(limits.form for limits in each),
            max(limits.multipart for limits in each),
            max(limits.seconds for limits in each),
            next((limits.keeper for limits in each if limits.keeper is not None), None),
            any(limits.keeps_raw for limits in each),
        )


NO_BODY = BodyLimits(0, 0, 0.0)
"""For routes that only show something: their body is not read."""

SMALL_FORM = BodyLimits(64 * 1024, 64 * 1024, 30.0)
"""For a page's form, and for routes that need no known caller."""

FORM = BodyLimits(1024 * 1024, 1024 * 1024, 30.0)
PICTURE = BodyLimits(1024 * 1024, 8 * 1024 * 1024, 60.0)
"""Room for the picture that a client may send with a bot, even though pictures are drawn here."""

WEBHOOK_BODY = BodyLimits(256 * 1024, 256 * 1024, 30.0, keeps_raw=True)
"""For what a service reports. A message has room for only a part of it."""


DISCARDED = BodyLimits(64 * 1024, 0, 30.0)
"""How much of a refused request's body is still read, so that the connection can be kept.

It may take as long as an accepted body. Somebody who is refused for bodies that never end must wait, and cannot return
immediately.
"""


class Disconnected(Exception):
    """The client closed the connection before its request was complete. None of it is carried out."""


class TooSlow(Refused):
    """The body did not arrive in time (status 408)."""

    def __init__(self) -> None:
        super().__init__("The request took too long to arrive. Send it again.")


class Fields(NamedTuple):
    """The fields of a request. If a field is sent twice, the last one counts. A form may contain passwords: never log
    it.

    `raw` is the body as it arrived, if its route keeps it.
    """

    query: Mapping[str, str]
    form: Mapping[str, str]
    files: Sequence[UploadedFile] = ()
    raw: bytes = b""


_FORM_KINDS = {"application/x-www-form-urlencoded": "urlencoded", "multipart/form-data": "multipart"}
_NONE: Mapping[str, str] = {}
NO_FIELDS = Fields(_NONE, _NONE)


async def read_fields(
    request: Request,
    receive: Receive,
    limits: BodyLimits,
    held: HeldBody,
    keep: Callable[[], FileContent] | None = None,
) -> Fields:
    """The fields of the query and of the body. A body that is not a form, such as JSON, has no fields.

    What is read counts in `held`, which the caller releases when the request is answered. `keep` returns what receives
    the content of a file. Raises Refused for a form that cannot be read, TooLarge or TooSlow for one beyond its limits,
    Overloaded if the worker holds too much, Disconnected if the client closes the connection first.
    """
    sent = request.query or request.withheld_query
    query = await _parsed(sent) if sent else _NONE
    if not request.changes_something:
        return Fields(query, _NONE) if query else NO_FIELDS
    kind = form_kind(request)
    if limits.keeps_raw and kind != "multipart":
        return Fields(query, _NONE, raw=await _read(request, receive, limits, held))
    match kind:
        case "urlencoded":
            return Fields(query, await _parsed(await _read(request, receive, limits, held)))
        case "multipart":
            content_type = request.header(b"content-type") or ""
            form = MultipartForm(content_type, held, limits.form, keep)
            await form.read(_pieces(request, receive, limits.multipart, limits.seconds))
            return Fields(query, form.texts, form.files)
    return Fields(query, _NONE)


async def _read(request: Request, receive: Receive, limits: BodyLimits, held: HeldBody) -> bytes:
    body = bytearray()
    async for piece in _pieces(request, receive, limits.form, limits.seconds):
        held.add(len(piece))
        body += piece
    return bytes(body)


def form_kind(request: Request) -> str | None:
    """The encoding of the body's form: `urlencoded` or `multipart`. None if the body is not a form."""
    content_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    return _FORM_KINDS.get(content_type)


async def _parsed(encoded: bytes) -> dict[str, str]:
    """The same as `parse_fields`, in a thread if the text is long: a megabyte of percent signs takes half a second."""
    return parse_fields(encoded) if len(encoded) <= _LONG_FORM else await asyncio.to_thread(parse_fields, encoded)


def parse_fields(encoded: bytes) -> dict[str, str]:
    """The fields of a query string or a plain form. Raises Refused if there are too many."""
    try:
        text = encoded.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace"))
    except ValueError:
        raise FormUnreadable from None


def announced_length(request: Request) -> int | None:
    """The size that the request states for its body, in bytes. None if it states none."""
    length = request.header(b"content-length") or ""
    return int(length[:20]) if length.isascii() and length.isdigit() else None


async def _pieces(request: Request, receive: Receive, largest: int, seconds: float) -> AsyncIterator[bytes]:
    """The body as it arrives: at most `largest` bytes of it, within `seconds`."""
    if (announced_length(request) or 0) > largest:
        raise TooLarge
    loop = asyncio.get_running_loop()
    end, size, more = loop.time() + seconds, 0, True
    while more:
        try:
            async with asyncio.timeout_at(min(end, loop.time() + PIECE_WITHIN)):
                message = await receive()
        except TimeoutError:
            raise TooSlow from None
        if message["type"] != "http.request":
            raise Disconnected
        piece = message.get("body", b"")
        size += len(piece)
        if size > largest:  # a chunked body does not state its length in advance
            raise TooLarge
        more = message.get("more_body", False)
        request.is_received = not more
        if piece:
            yield piece


async def discard(request: Request, receive: Receive) -> bool:
    """Read a small body from the connection without using it, so that the next request can follow. False if that fails,
    or would take long.
    """
    if request.is_received:
        return True
    if not request.header(b"content-length"):
        return False
    try:
        async for _ in _pieces(request, receive, DISCARDED.form, DISCARDED.seconds):
            pass
    except (TooLarge, TooSlow, Disconnected):
        return False
    return True
