"""Long answers, encoded in pieces: an encoder would hold up the event loop until it has encoded everything."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar, final

import msgspec

from keybearer.server.domain.pacing import paced

T = TypeVar("T")

PIECE = 20
"""Entries of a list or an object that are encoded at once. Each may be as long as an event with all its recipients."""

LARGE = 1_000_000
"""Bytes from which on pieces are joined in a thread."""

_encode = msgspec.json.Encoder().encode


MOST_SHARED = 8
"""Long lists whose JSON is kept, because the next answers contain them too."""


@final
class _Shared:
    """The JSON of a few lists that many messages, answers or events have in common. It is looked up by the list itself,
    which nobody changes.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[list[object], msgspec.Raw]] = OrderedDict()

    def json_of(self, value: list[object]) -> msgspec.Raw:
        kept = self._kept.pop(id(value), None)
        if kept is None or kept[0] is not value:
            kept = (value, msgspec.Raw(_encode(value)))
        self._kept[id(value)] = kept
        if len(self._kept) > MOST_SHARED:
            self._kept.popitem(last=False)
        return kept[1]


_shared = _Shared()


def with_people_encoded(message: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of a message. If it is to many people, they are already encoded: once for all messages and answers
    that have the same list of them.
    """
    people = message.get("display_recipient")
    if not isinstance(people, list) or len(people) <= PIECE:
        return message
    return {**message, "display_recipient": _shared.json_of(people)}


@dataclass(frozen=True, slots=True)
class Pieces:
    """The JSON of a value, in pieces."""

    texts: Sequence[bytes]


def is_long(content: Mapping[str, object]) -> bool:
    """Whether a field has so many entries that the content should be encoded in pieces."""
    return any(
        isinstance(each, Pieces) or (isinstance(each, list | dict) and len(each) > PIECE) for each in content.values()
    )


async def encoded(value: object) -> Pieces:
    """The value as JSON. Other work gets a turn between two pieces of a long list or object."""
    if isinstance(value, Pieces):
        return value
    if isinstance(value, list):
        return Pieces([b"[", *_joined(await paced(_inner, _parts(value))), b"]"])
    if isinstance(value, dict):
        return Pieces([b"{", *_joined(await paced(_inner, map(dict, _parts(value.items())))), b"}"])
    return Pieces([_encode(value)])


async def complete(begin: bytes, content: Mapping[str, object]) -> bytes:
    """An object with these fields, and a final newline. `begin` is how it begins, without a comma at its end."""
    texts = [begin]
    for name, value in content.items():
        texts += (b",", _encode(name), b":", *(await encoded(value)).texts)
    texts.append(b"}\n")
    if sum(map(len, texts)) < LARGE:
        return b"".join(texts)
    return await asyncio.to_thread(b"".join, texts)


def _parts(entries: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(entries)
    while part := list(islice(remaining, PIECE)):
        yield part


def _inner(part: object) -> bytes:
    """A list or an object without its brackets."""
    return _encode(part)[1:-1]


def _joined(inner: Sequence[bytes]) -> Iterator[bytes]:
    for number, text in enumerate(inner):
        if number:
            yield b","
        yield text
