"""Hides API keys in all text for people and logs, in any position and encoding.

`masked` is applied where errors, reprs, log entries and lines of the terminal are made, so that no caller has to
remember it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import logging

T = TypeVar("T")

MASK = "••••••••"

_ALPHANUMERIC = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{24,}(?![A-Za-z0-9])")
_WHOLE_KEY = 32
_DIGEST = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
"""The lengths of SHA-1 and SHA-256, such as names of commits. No key is that long."""

_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_MAY_HIDE_A_KEY = re.compile(r"[A-Za-z0-9+/_%&#;\\-]{24}")
_ESCAPE = re.compile(
    r"%(?P<percent>[0-9A-Fa-f]{2})|\\u(?P<unicode>[0-9A-Fa-f]{4})|\\x(?P<hexadecimal>[0-9A-Fa-f]{2})"
    r"|&#x(?P<entity>[0-9A-Fa-f]{1,4});|&#(?P<decimal>[0-9]{1,5});|\\(?P<short>[^%&])",
    re.DOTALL,
)
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_DEEPEST = 3
"""How many layers of encoding are undone, such as a URL in JSON in a repr."""

_SHORTEST_SECRET = 4
"""A shorter secret also occurs in ordinary words, and masking those would reveal it."""


def masked(text: str, secrets: Sequence[str] = ()) -> str:
    """`text` with a mask in place of every API key, of most of a key, and of each of `secrets`.

    They are found in plain text and in the encodings of requests and responses: URL and form encoding,
    the escapes of JSON, HTML and Python, and the base64 of an Authorization header.
    """
    sought = {form for one in secrets if len(one) >= _SHORTEST_SECRET for form in _forms(one)}
    if not sought and not _MAY_HIDE_A_KEY.search(text):
        return text
    hidden = sorted({span for view in _views(text) for span in view.hidden(sought)})
    result, end = "", 0
    for start, stop in hidden:
        if start >= end:
            result += text[end:start] + MASK
        end = max(end, stop)
    return result + text[end:]


def masked_json(value: Any, secrets: Sequence[str] = ()) -> Any:  # noqa: ANN401 - any JSON
    """The same JSON, with `masked` applied to each of its texts and names."""
    if isinstance(value, str):
        return masked(value, secrets)
    if isinstance(value, dict):
        return {masked_json(name, secrets): masked_json(inner, secrets) for name, inner in value.items()}
    return [masked_json(inner, secrets) for inner in value] if isinstance(value, list | tuple) else value


def masked_repr(cls: type[T]) -> type[T]:
    """A class decorator: the repr of the class, with the keys in it masked. It stands above `@dataclass`."""
    plain = cls.__repr__

    def __repr__(self: T) -> str:  # noqa: N807 - it becomes the method
        return masked(plain(self))

    cls.__repr__ = __repr__  # type: ignore[method-assign, assignment]
    return cls


def mask_log(logger: logging.Logger) -> logging.Logger:
    """Make the logger mask the keys in its entries, and return it."""
    logger.addFilter(_mask_record)
    return logger


def _mask_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = masked(record.getMessage()), None
    return True


class _View:
    """The text with some of its escapes undone, and the original position of each character."""

    def __init__(self, text: str, positions: Sequence[int]) -> None:
        self._text = text
        self._positions = positions

    def hidden(self, sought: set[str]) -> Iterator[tuple[int, int]]:
        """Where the text holds something to hide."""
        for start, end in (*_plain(self._text, sought), *_in_base64(self._text, sought)):
            yield self._positions[start], self._positions[end]

    def decoded(self) -> _View | None:
        """The view with one more layer of escapes undone; None if there is none."""
        characters: list[str] = []
        positions: list[int] = []
        end = 0
        for escape in _ESCAPE.finditer(self._text):
            characters += self._text[end : escape.start()]
            positions += self._positions[end : escape.start()]
            characters.append(_character(escape))
            positions.append(self._positions[escape.start()])
            end = escape.end()
        if not end:
            return None
        characters += self._text[end:]
        return _View("".join(characters), [*positions, *self._positions[end:]])


def _views(text: str) -> Iterator[_View]:
    view: _View | None = _View(text, range(len(text) + 1))
    for _ in range(_DEEPEST + 1):
        if view is not None:
            yield view
            view = view.decoded()


def _character(escape: re.Match[str]) -> str:
    kind = escape.lastgroup
    found = escape[kind or 0]
    if kind == "short":
        return _SHORT.get(found, found)
    return chr(int(found, 10 if kind == "decimal" else 16))


def _plain(text: str, sought: set[str]) -> Iterator[tuple[int, int]]:
    for found in _ALPHANUMERIC.finditer(text):
        if _looks_like_key(found[0]):
            yield found.span()
    for secret in sought:
        at = text.find(secret)
        while at >= 0:
            yield at, at + len(secret)
            at = text.find(secret, at + 1)


def _looks_like_key(run: str) -> bool:
    """Whether it is as long as a key, or looks like a piece of one: shorter, with mixed characters."""
    if len(run) >= _WHOLE_KEY:
        return _DIGEST.match(run) is None
    return not run.islower() and not run.isupper() and any(one.isdigit() for one in run)


def _in_base64(text: str, sought: set[str]) -> Iterator[tuple[int, int]]:
    for found in _ENCODED.finditer(text):
        run = found[0].translate({ord("-"): "+", ord("_"): "/"})
        for offset in range(4):
            piece = run[offset:]
            piece = piece[: len(piece) - (len(piece) % 4 == 1)]
            inner = base64.b64decode(piece + "=" * (-len(piece) % 4)).decode("latin-1")
            if any(True for _ in _plain(inner, sought)):
                yield found.span()
                break


def _forms(secret: str) -> set[str]:
    """How a secret looks once escapes are undone: a URL has its bytes, JSON its UTF-16, and a form `+` for a space."""
    as_bytes = secret.encode("utf-8", "surrogatepass").decode("latin-1")
    units = secret.encode("utf-16-be", "surrogatepass")
    as_utf16 = "".join(chr(units[at] << 8 | units[at + 1]) for at in range(0, len(units), 2))
    return {secret, as_bytes, as_utf16, secret.replace(" ", "+"), as_bytes.replace(" ", "+")}
