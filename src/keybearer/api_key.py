"""API keys as values: what they look like, how one is made, and how one is recognised.

Zulip's clients and servers require 32 characters `[A-Za-z0-9]`. Our keys have these parts: the prefix `kb`, 24
random characters (142 bits), and a checksum of 6. So a leaked key is recognised, and a mistyped one is refused
without a database query.
"""

from __future__ import annotations

import re
import zlib

from keybearer.secret import Secret

LENGTH = 32
PREFIX = "kb"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH = 24
CHECKSUM_LENGTH = 6

_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
"""Every two-digit number in base 62. The key of each request is checked, and pairs are three times faster."""

_BASE = len(_PAIRS)

IN_TEXT = re.compile(r"kb(?=[A-Za-z0-9]{30})")
"""Where one of our keys can start in a text; `is_ours` decides. Letters and digits may be right beside it."""


def generate() -> Secret:
    """A new API key from the operating system's randomness."""
    import secrets  # noqa: PLC0415 - loads OpenSSL, and most programs make no key

    number, body = secrets.randbelow(_BASE ** (RANDOM_LENGTH // 2)), PREFIX
    for _ in range(RANDOM_LENGTH // 2):
        number, pair = divmod(number, _BASE)
        body += _PAIRS[pair]
    return Secret(body + checksum(body))


def checksum(body: str) -> str:
    """The six base-62 digits of the CRC-32 of `body`, most significant first. It finds mistakes, not forgery."""
    number, last = divmod(zlib.crc32(body.encode("ascii")), _BASE)
    first, second = divmod(number, _BASE)
    return _PAIRS[first] + _PAIRS[second] + _PAIRS[last]


def is_well_formed(text: str) -> bool:
    """Whether `text` has the form of a key on any Zulip server: 32 ASCII letters and digits."""
    # Bytes are faster than a regular expression, and than characters, each of which Unicode would classify.
    return len(text) == LENGTH and text.isascii() and text.encode().isalnum()


def is_ours(text: str) -> bool:
    """Whether `text` has the prefix and the checksum of a key that Keybearer made."""
    return is_well_formed(text) and text.startswith(PREFIX) and text.endswith(checksum(text[:-CHECKSUM_LENGTH]))


def find(text: str) -> list[tuple[int, Secret]]:
    """Each of our keys in `text`, with its offset. Any characters may be right before and after it."""
    starts = (match.start() for match in IN_TEXT.finditer(text))
    return [(start, Secret(text[start : start + LENGTH])) for start in starts if is_ours(text[start : start + LENGTH])]


def fingerprint(key: Secret) -> str:
    """Eight hexadecimal digits that identify a key in a log or a report without revealing any of it."""
    import hashlib  # noqa: PLC0415 - as above

    return hashlib.sha256(b"keybearer fingerprint\0" + key.reveal().encode("utf-8", "surrogatepass")).hexdigest()[:8]
