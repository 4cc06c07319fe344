"""The body of a request, bounded in size and in time, and the fields in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive

from keybearer.server.domain.errors import Refused
from keybearer.server.http.request import Request

MOST_FIELDS = 1000
"""Django's DATA_UPLOAD_MAX_NUMBER_FIELDS."""


_LONG_FORM = 20_000
"""Bytes of a form that is read in the event loop."""

_PIECE = 16 * 1024
"""Bytes of a form with files that are read before others have a turn: its reader looks at each byte."""


class BodyLimits(NamedTuple):
    """How much of a body a route takes: bytes of a plain form, bytes of one with files, and seconds for all of it."""

    form: int
    multipart: int
    seconds: float

    @classmethod
    def widest(cls, several: Iterable[BodyLimits]) -> BodyLimits:
        """The limits that let in whatever any of these does."""
        return cls(*map(max, zip(NO_BODY, *several, strict=True)))


NO_BODY = BodyLimits(0, 0, 0.0)
"""For what only shows: a body is not looked at."""

SMALL_FORM = BodyLimits(64 * 1024, 64 * 1024, 30.0)
"""For a page's form, and for whatever nobody has to be known for."""

FORM = BodyLimits(1024 * 1024, 1024 * 1024, 30.0)
PICTURE = BodyLimits(1024 * 1024, 8 * 1024 * 1024, 60.0)
"""Room for the picture that a client may send with a bot, though pictures are drawn here."""


DISCARDED = BodyLimits(64 * 1024, 0, 1.0)
"""What of the body of a refused request is still read, so that the connection can be kept."""


class Disconnected(Exception):
    """The client closed the connection before its request was whole: nothing of it is carried out."""


class TooLarge(Refused):
    """The request is larger than any that the route has a use for (status 413)."""

    def __init__(self) -> None:
        super().__init__("The request is too large.")


class TooSlow(Refused):
    """The body did not arrive in time (status 408)."""

    def __init__(self) -> None:
        super().__init__("The request took too long to arrive. Send it again.")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file of a form, with its name and type as the client states them."""

    field: str
    name: str
    content_type: str
    content: bytes


class Fields(NamedTuple):
    """The fields of a request; of one that is sent twice the last counts. A form may hold passwords: never log it."""

    query: Mapping[str, str]
    form: Mapping[str, str]
    files: Sequence[UploadedFile] = ()


_FORM_KINDS = {"application/x-www-form-urlencoded": "urlencoded", "multipart/form-data": "multipart"}
_NONE: Mapping[str, str] = {}
NO_FIELDS = Fields(_NONE, _NONE)


async def read_fields(request: Request, receive: Receive, limits: BodyLimits) -> Fields:
    """The fields of the query and of the body. A body that is not a form, such as JSON, has no field.

    Raises Refused for a form that cannot be read, TooLarge or TooSlow for one beyond its limits, Disconnected where the
    client closes the connection first.
    """
    query = await _parsed(request.query) if request.query else _NONE
    if not request.changes_something:
        return Fields(query, _NONE) if query else NO_FIELDS
    match form_kind(request):
        case "urlencoded":
            return Fields(query, await _parsed(await _read(request, receive, limits.form, limits.seconds)))
        case "multipart":
            return await _multipart(request, query, await _read(request, receive, limits.multipart, limits.seconds))
    return Fields(query, _NONE)


def form_kind(request: Request) -> str | None:
    """How the body's form is encoded: `urlencoded` or `multipart`; None where the body is no form."""
    content_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    return _FORM_KINDS.get(content_type)


async def _parsed(encoded: bytes) -> dict[str, str]:
    """The same as `parse_fields`, in a thread where it is much: a megabyte of percent signs takes half a second."""
    return parse_fields(encoded) if len(encoded) <= _LONG_FORM else await asyncio.to_thread(parse_fields, encoded)


def parse_fields(encoded: bytes) -> dict[str, str]:
    """The fields of a query string or a plain form. Raises Refused where there are too many."""
    try:
        text = encoded.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace"))
    except ValueError:
        _refuse_form()


def _refuse_form() -> NoReturn:
    raise Refused("The form in the request's body cannot be read.") from None


async def _read(request: Request, receive: Receive, largest: int, seconds: float) -> bytes:
    length = request.header(b"content-length") or ""
    if length.isascii() and length.isdigit() and int(length[:20]) > largest:
        raise TooLarge
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Disconnected
                body += message.get("body", b"")
                if len(body) > largest:  # a chunked body does not say its length beforehand
                    raise TooLarge
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise TooSlow from None


async def discard(request: Request, receive: Receive) -> bool:
    """Take a small body off the connection without looking at it, so that the next request can follow; False if that
    fails, or would take long."""
    if not request.header(b"content-length"):
        return False
    try:
        await _read(request, receive, DISCARDED.form, DISCARDED.seconds)
    except (TooLarge, TooSlow, Disconnected):
        return False
    return True


async def _multipart(request: Request, query: Mapping[str, str], body: bytes) -> Fields:
    async def stream() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(body), _PIECE):
            yield body[start : start + _PIECE]
            await asyncio.sleep(0)
        yield b""

    headers = Headers({"content-type": request.header(b"content-type") or ""})
    parser = MultiPartParser(headers, stream(), max_files=MOST_FIELDS, max_fields=MOST_FIELDS, max_part_size=len(body))
    try:
        form = await parser.parse()
        texts = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = [
            UploadedFile(name, value.filename or "", value.content_type or "", await value.read())
            for name, value in form.multi_items()
            if isinstance(value, UploadFile)
        ]
    except (MultiPartException, FormParserError, LookupError, UnicodeError, ValueError):
        _refuse_form()
    finally:
        for file in parser._files_to_close_on_error:  # noqa: SLF001  also those of parts that never end
            file.close()
    return Fields(query, texts, files)
