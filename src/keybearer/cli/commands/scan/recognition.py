"""Finds API keys in a text. Pure.

Our keys are recognized by their checksum. Any other Zulip key is only 32 letters and digits, like many other texts, so
the text around it decides: see `context.py`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from keybearer import api_key
from keybearer.cli.commands.scan import context, encodings
from keybearer.cli.commands.scan.context import REACH
from keybearer.secret import Secret

ALLOWED = "keybearer:allow"
"""A line with this comment may have a public key."""

KINDS = {
    "keybearer": "API key made by Keybearer",
    "zuliprc": "API key in a zuliprc",
    "token": "token of an outgoing webhook bot in a zuliprc",
    "variable": "API key in a variable",
    "call": "API key in a call of Zulip's API",
    "credentials": "API key beside an email and a site",
}

_COMMENT = re.compile(rf"\b{ALLOWED}\b")
_WORD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{32,48}(?![A-Za-z0-9])")
_PRINTABLE = bytes(byte if chr(byte) in string.printable else ord("\n") for byte in range(256))
_LAYERS = 4
"""How many layers of encoding are decoded."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A key in a text: its line (from 1), its kind (of KINDS), and its account if the text has it."""

    kind: str
    key: Secret
    line: int
    email: str = ""
    site: str = ""


def search(text: str, first_line: int = 1) -> list[Leak]:
    """Every key in `text`, one for each line and key, in the order of lines. `first_line` is the number of the first.

    Lines with the comment ALLOWED are ignored.
    """
    return [leak for _, leak in search_with_offsets(text, first_line)]


def search_with_offsets(text: str, first_line: int = 1, *, comments: bool = True) -> list[tuple[int, Leak]]:
    """Like `search`, with the offset of each leak in `text`. Without `comments`, no line is ignored."""
    found: dict[tuple[int, Secret], tuple[int, Leak]] = {}
    places = sorted(_found_in_layers(text, "", "", _LAYERS), key=lambda place: place[0])
    allowed = set(_lines(text, (match.start() for match in _COMMENT.finditer(text) if comments)))
    lines = _lines(text, (offset for offset, _ in places))
    for (offset, leak), line in zip(places, lines, strict=True):
        known = found.get((line, leak.key))
        if line not in allowed and (known is None or (leak.email and not known[1].email)):
            found[line, leak.key] = offset, replace(leak, line=first_line + line)
    return list(found.values())


def search_binary(data: bytes) -> list[Leak]:
    """Every key in binary data, each once. Its line is 0."""
    found = {leak.key: leak for _, leak in reversed(list(_found(data.translate(_PRINTABLE).decode("ascii"), "", "")))}
    return list(found.values())


def _lines(text: str, offsets: Iterable[int]) -> Iterator[int]:
    """The line of each offset, from 0. The offsets must ascend."""
    line = counted = 0
    for offset in offsets:
        line, counted = line + text.count("\n", counted, offset), offset
        yield line


def _found_in_layers(text: str, before: str, after: str, layers: int) -> Iterator[tuple[int, Leak]]:
    """Every key in `text`, which is between two other texts, and in the texts encoded in it, up to `layers` deep."""
    yield from _found(text, before, after)
    if not layers:
        return
    if rewritten := encodings.rewritten(text):
        for offset, leak in _found_in_layers(rewritten.text, before, after, layers - 1):
            yield rewritten.origin(offset), leak
    for start, end, decoded in encodings.decoded_texts(text):
        nearby = _around(text, start, end, before, after)
        for offset, leak in _found_in_layers(decoded, *nearby, layers - 1):
            yield start + offset * (end - start) // len(decoded), leak


def _found(text: str, before: str, after: str) -> Iterator[tuple[int, Leak]]:
    for start, key in api_key.find(text):
        owner = context.owner(*_around(text, start, start + api_key.LENGTH, before, after))
        yield start, Leak("keybearer", key, 0, *owner)
    for start, key in encodings.encoded_keys(text):
        yield start, Leak("keybearer", key, 0)
    for match in _WORD.finditer(text):
        start, end = match.end() - api_key.LENGTH, match.end()
        if start > match.start() and not encodings.BEFORE_KEY.fullmatch(text, max(0, match.start() - 1), start):
            continue
        word = text[start:end]
        if (likeness := context.likeness(word)) and not api_key.is_ours(word):
            nearby = _around(text, start, end, before, after)
            if kind := context.kind(*nearby, likeness):
                yield start, Leak(kind, Secret(word), 0, *context.owner(*nearby))


def _around(text: str, start: int, end: int, before: str, after: str) -> tuple[str, str]:
    """The text on both sides of a part of `text`, which is itself between two texts."""
    left = before + text[:start] if start < REACH else text[start - REACH : start]
    return left[-REACH:], (text[end : end + REACH] + after)[:REACH]
