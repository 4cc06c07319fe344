"""Streams of bytes of any size, searched block by block in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Protocol

from keybearer import api_key
from keybearer.cli.scan.recognition import Leak, search
from keybearer.secret import Secret

BLOCK = 1 << 20
"""Bytes that are read at once."""

OVERLAP = 4096
"""Characters that a block repeats of the one before: so much context of a key is never cut off."""

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT = 8000


class Readable(Protocol):
    """What has bytes to give: at most so many, none at the end."""

    def read(self, size: int, /) -> bytes: ...


def search_stream(stream: Readable) -> Iterator[Leak]:
    """Every leak in a stream. In what is not text, only keys of ours are looked for, and their line is 0."""
    head = stream.read(BLOCK)
    encoding = next((name for mark, name in _BOMS if head.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in head[:_LOOKED_AT]:
        yield from _search_binary(head, stream)
        return
    seen: set[tuple[int, Secret]] = set()
    for text, line in _blocks(_decoded(head, stream, encoding)):
        for leak in search(text, line):
            if (leak.line, leak.key) not in seen:
                seen.add((leak.line, leak.key))
                yield leak


def _decoded(head: bytes, stream: Readable, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    data = head
    while data:
        yield decoder.decode(data)
        data = stream.read(BLOCK)
    yield decoder.decode(b"", final=True)


def _blocks(texts: Iterator[str]) -> Iterator[tuple[str, int]]:
    """The text in blocks that overlap, each with the number of its first line. No block ends in the middle of a word,
    nor of a line unless that is very long.
    """
    rest, line = "", 1
    for text in texts:
        rest += text
        if len(rest) < BLOCK // 2:
            continue
        end = rest.rfind("\n", len(rest) // 2) + 1 or _word_end(rest)
        yield rest[:end], line
        start = max(0, end - OVERLAP)
        start = rest.find("\n", start, end) + 1 or start
        line += rest.count("\n", 0, start)
        rest = rest[start:]
    yield rest, line


def _word_end(text: str) -> int:
    """Where the last whole word of the text's second half ends; its whole length where there is none."""
    backwards = range(len(text), len(text) // 2, -1)
    return next((at for at in backwards if not text[at - 1].isalnum()), len(text))


def _search_binary(head: bytes, stream: Readable) -> Iterator[Leak]:
    seen: set[Secret] = set()
    rest, data = "", head
    while data:
        rest += data.decode("latin-1")
        for _, key in api_key.find(rest):
            if key not in seen:
                seen.add(key)
                yield Leak("keybearer", key, 0)
        rest = rest[-(api_key.LENGTH + 1) :]
        data = stream.read(BLOCK)
