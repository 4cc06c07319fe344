"""Parses a form with files while it arrives. The content of a file is passed on and not kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol, final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from keybearer.server.domain.errors import Refused
from keybearer.server.http.limits import HeldBody

MOST_FIELDS = 1000
"""Django's DATA_UPLOAD_MAX_NUMBER_FIELDS."""

SLICE = 16 * 1024
"""Bytes that are parsed at once. Other requests get a turn in between."""

HELD_OF_FILE = 512 * 1024
"""Bytes of a file that are in memory at once: what is being written, and what arrives during that time."""


class FileContent(Protocol):
    """Receives the content of a file."""

    async def write(self, content: bytes) -> None:
        """Receive more of the content."""
        ...

    async def discard(self) -> None:
        """Discard the content, because the form cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file of a form, with its name and type as the client states them.

    `content` is what received its content. It is None if the route does not use the file's content, and for all files
    of a form except the first.
    """

    field: str
    name: str
    content_type: str
    content: FileContent | None


class TooLarge(Refused):
    """The request is larger than the route allows (status 413)."""

    def __init__(self) -> None:
        super().__init__("The request is too large.")


class FormUnreadable(Refused):
    """The form breaks the rules of its encoding (status 400)."""

    def __init__(self) -> None:
        super().__init__("The form in the request's body cannot be read.")


@dataclass(slots=True)
class _Part:
    disposition: bytes = b""
    content_type: bytes = b""
    name: str = ""
    filename: str | None = None
    content: FileContent | None = None


@final
class MultipartForm:
    """The fields and files of one form. `largest` is the size in bytes of all its texts together.

    If `keep` is given, it returns what receives the content of the first file.
    """

    def __init__(
        self, content_type: str, held: HeldBody, largest: int, keep: Callable[[], FileContent] | None = None
    ) -> None:
        _, options = parse_options_header(content_type)
        self.texts: dict[str, str] = {}
        self.files: list[UploadedFile] = []
        self._held = held
        self._room = largest
        self._keep = keep
        self._is_whole = False
        self._is_empty = True
        self._parts = 0
        self._part = _Part()
        self._header = b""
        self._value = b""
        self._text = bytearray()
        self._kept: FileContent | None = None
        self._unwritten = bytearray()
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._take_header,
                    "on_header_value": self._take_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_part,
                    "on_part_data": self._take_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except (KeyError, FormParserError):
            raise FormUnreadable from None

    async def read(self, pieces: AsyncIterator[bytes]) -> None:
        """Read the whole body. Raises Refused and whatever `pieces` raises; in that case nothing of a file is kept."""
        try:
            async for piece in pieces:
                self._is_empty = self._is_empty and not piece
                for start in range(0, len(piece), SLICE):
                    self._parser.write(piece[start : start + SLICE])
                    await asyncio.sleep(0)
                await self._write()
        except BaseException as error:
            await self._discard()
            if isinstance(error, FormParserError | ValueError):
                raise FormUnreadable from None
            raise
        if not (self._is_whole or self._is_empty):  # zulip-js sends a form without fields as an empty body
            await self._discard()
            raise FormUnreadable

    async def _discard(self) -> None:
        if self._kept is not None:
            await self._kept.discard()

    async def _write(self) -> None:
        if self._kept is not None and self._unwritten:
            await self._kept.write(bytes(self._unwritten))
            self._unwritten.clear()

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_FIELDS:
            raise FormUnreadable
        self._part = _Part()

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        match self._header.lower():
            case b"content-disposition":
                self._part.disposition = self._value
            case b"content-type":
                self._part.content_type = self._value
        self._header = self._value = b""

    def _open_part(self) -> None:
        part = self._part
        _, options = parse_options_header(part.disposition)
        if b"name" not in options:
            raise FormUnreadable
        part.name = _decoded(options[b"name"])
        if b"filename" in options:
            part.filename = _decoded(options[b"filename"])
            if self._keep is not None and self._kept is None:
                self._held.add(HELD_OF_FILE)
                part.content = self._kept = self._keep()

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        size = end - start
        if self._part.filename is None:
            self._room -= size
            self._held.add(size)
            if self._room < 0:
                raise TooLarge
            self._text += data[start:end]
        elif self._part.content is not None:
            self._unwritten += data[start:end]

    def _end_part(self) -> None:
        part = self._part
        if part.filename is None:
            self.texts[part.name] = _decoded(bytes(self._text))
            self._text.clear()
        else:
            content_type = part.content_type.decode("latin-1")
            self.files.append(UploadedFile(part.name, part.filename, content_type, part.content))

    def _end(self) -> None:
        self._is_whole = True


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
