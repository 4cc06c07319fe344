"""Streams of bytes of any size, searched block by block in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Protocol

from keybearer import api_key
from keybearer.cli.commands.scan.recognition import Leak, search
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
    """What has bytes to give: as many as are asked for, fewer only at the end."""

    def read(self, size: int, /) -> bytes: ...


def search_stream(stream: Readable, block: int = BLOCK) -> Iterator[Leak]:
    """Every leak in a stream. In what is not text, only keys of ours are looked for, and their line is 0."""
    data = _chunks(stream, block)
    head = next(data)
    encoding = next((name for mark, name in _BOMS if head.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in head[:_LOOKED_AT]:
        yield from _search_binary(chain([head], data))
        return
    seen: set[tuple[int, Secret]] = set()
    for text, line in _blocks(_decoded(chain([head], data), encoding), block):
        for leak in search(text, line):
            if (leak.line, leak.key) not in seen:
                seen.add((leak.line, leak.key))
                yield leak


def _chunks(stream: Readable, size: int) -> Iterator[bytes]:
    data = stream.read(size)
    yield data
    while len(data) == size:  # a terminal would have to be told its end twice if this read on after it
        data = stream.read(size)
        yield data


def _decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for data in chunks:
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)


def _blocks(texts: Iterator[str], size: int) -> Iterator[tuple[str, int]]:
    """The text in blocks that overlap, each with the number of its first line. No block ends in the middle of a word,
    nor of a line unless that is very long.
    """
    rest, line = "", 1
    for text in texts:
        rest += text
        if len(rest) < size // 2:
            continue
        end = rest.rfind("\n", len(rest) // 2) + 1 or _word_end(rest)
        yield rest[:end], line
        start = max(0, end - OVERLAP)
        start = rest.find("\n", start, end) + 1 or start
        line += rest.count("\n", 0, start)
        rest = rest[start:]
    yield rest, line


def _word_end(text: str) -> int:
    """Where the last whole word ends; the text's end where there is none in a while."""
    backwards = range(len(text), max(1, len(text) - OVERLAP), -1)
    return next((at for at in backwards if not text[at - 1].isalnum()), len(text))


def _search_binary(chunks: Iterable[bytes]) -> Iterator[Leak]:
    seen: set[Secret] = set()
    rest = ""
    for data in chunks:
        rest += data.decode("latin-1")
        for _, key in api_key.find(rest):
            if key not in seen:
                seen.add(key)
                yield Leak("keybearer", key, 0)
        rest = rest[-api_key.LENGTH :]
