"""Text that is safe to show on a terminal."""

from __future__ import annotations

import re

from keybearer.masking import masked

_CONTROL = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_BIDIRECTIONAL = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNPRINTABLE = re.compile(rf"[{_CONTROL}{_BIDIRECTIONAL}\x09\x0a\x20\u2028\u2029]+")
_ACTIVE = re.compile(rf"[{_CONTROL}{_BIDIRECTIONAL}\u2028\u2029]")


def one_line(text: str) -> str:
    """`text` in one line, with every key masked, for messages to people.

    Text from a server must not move the cursor or change the direction of reading.
    """
    return bare_line(masked(text))


def bare_line(text: str) -> str:
    """Like `one_line`, but without masks, for the text that a command exists to print."""
    return _UNPRINTABLE.sub(" ", text).strip()


def content(text: str) -> str:
    """Text of several lines. Characters that control the terminal are shown as escapes."""
    return _ACTIVE.sub(lambda found: _escaped(found[0]), text.replace("\r\n", "\n"))


def json_text(text: str) -> str:
    """JSON with the same meaning, in which such characters are JSON's own escapes."""
    return _ACTIVE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escaped(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
