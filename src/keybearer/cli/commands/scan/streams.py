"""Streams of bytes of any size, searched block by block in bounded memory."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Protocol

from keybearer.cli.commands.scan.encodings import Rewritten
from keybearer.cli.commands.scan.recognition import Leak, search_binary, search_with_offsets
from keybearer.secret import Secret

BLOCK = 1 << 20
"""The number of bytes that are read at once."""

OVERLAP = 4096
"""The number of characters that a block repeats from the previous one."""

_TAIL = OVERLAP // 4
"""The number of characters at the end of a block whose keys are left to the next block, which has their context."""

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, since it begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT = 8000
_WIDE_WORD = re.compile(r"[A-Za-z0-9](?:\0{1,3}[A-Za-z0-9]){31}")
_WIDE_WORD_IN_BYTES = re.compile(_WIDE_WORD.pattern.encode())
_NULS = re.compile("\0+")
_WORD_END = re.compile("[^A-Za-z0-9]")


class Readable(Protocol):
    """A stream that returns as many bytes as requested, and fewer only at the end."""

    def read(self, size: int, /) -> bytes: ...


def search_stream(stream: Readable, block: int = BLOCK, *, comments: bool = True) -> Iterator[Leak]:
    """Every leak in a stream. In binary data, each key is reported once, and its line is 0. Without `comments`, no line
    of a text is ignored.
    """
    data = _chunks(stream, block)
    head = next(data)
    encoding = _encoding(head[:_LOOKED_AT])
    if encoding is None:
        yield from _search_binary(chain([head], data))
        return
    seen: set[tuple[int, Secret]] = set()
    for text, line, is_last in _blocks(_decoded(chain([head], data), encoding), block):
        for offset, leak in _in_readings(text, line, comments=comments):
            if (is_last or offset < len(text) - _TAIL) and (leak.line, leak.key) not in seen:
                seen.add((leak.line, leak.key))
                yield leak


def _in_readings(text: str, line: int, *, comments: bool) -> Iterator[tuple[int, Leak]]:
    """Every leak in a text, also where wide characters follow others, as in a log to which several programs write."""
    yield from search_with_offsets(text, line, comments=comments)
    if "\0" in text and _WIDE_WORD.search(text):  # the first is a hundred times as fast, and nearly always false
        narrow = Rewritten.of(text, _NULS, lambda _: "")
        for offset, leak in search_with_offsets(narrow.text, line, comments=comments):
            yield narrow.origin(offset), leak


def _encoding(head: bytes) -> str | None:
    """The encoding of a text that begins with `head`. None for binary data."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    return None if b"\0" in head else "utf-8"


def _chunks(stream: Readable, size: int) -> Iterator[bytes]:
    data = stream.read(size)
    yield data
    while len(data) == size:  # after the end, a terminal would wait for a second end
        data = stream.read(size)
        yield data


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for data in chunks:
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)


def _blocks(texts: Iterator[str], size: int) -> Iterator[tuple[str, int, bool]]:
    """The text in blocks that overlap, each with the number of its first line, and whether it is the last. No block
    ends inside a word, or inside a line unless that is very long.
    """
    rest, line = "", 1
    for text in texts:
        rest += text
        if len(rest) < size // 2:
            continue
        end = rest.rfind("\n", len(rest) // 2) + 1 or _word_end(rest)
        yield rest[:end], line, False
        start = _block_start(rest, max(0, end - OVERLAP))
        line += rest.count("\n", 0, start)
        rest = rest[start:]
    yield rest, line, True


def _block_start(text: str, start: int) -> int:
    """The next beginning of a line near `start`, else of a word."""
    newline = text.find("\n", start, start + _TAIL)
    word_end = _WORD_END.search(text, start, start + _TAIL)
    return newline + 1 or (word_end.end() if word_end else start)


def _word_end(text: str) -> int:
    """The end of the last whole word; the end of the text if there is none nearby."""
    backwards = range(len(text), max(1, len(text) - OVERLAP), -1)
    return next((at for at in backwards if not text[at - 1].isalnum()), len(text))


def _search_binary(chunks: Iterable[bytes]) -> Iterator[Leak]:
    seen: set[Secret] = set()
    rest = b""
    for data in chunks:
        rest += data
        readings = [rest] if rest.strip(b"\0") else []
        if _WIDE_WORD_IN_BYTES.search(rest):
            readings.append(rest.replace(b"\0", b""))
        for reading in readings:
            for leak in search_binary(reading):
                if leak.key not in seen:
                    seen.add(leak.key)
                    yield leak
        rest = rest[-OVERLAP:]
