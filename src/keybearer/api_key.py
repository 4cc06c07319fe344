"""API keys as values: what they look like, how one is made, and how one is recognised.

Zulip's clients and servers demand 32 characters `[A-Za-z0-9]`. Ours keep to that and say more: the prefix `kb`, 24
random characters (142 bits), and a checksum of 6, so that a leaked key is recognised and a mistyped one is refused
without a look into a database.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

from keybearer.secret import Secret

LENGTH = 32
PREFIX = "kb"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH = 24
CHECKSUM_LENGTH = 6

_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
"""Every two-digit number in base 62: each request's key is checked, and pairs take a third of the time of digits."""

_BASE = len(_PAIRS)

WELL_FORMED = re.compile(r"[A-Za-z0-9]{32}\Z")
"""What every Zulip server and client accepts as a key. Text that matches need not be a key of ours."""

_FORM_OF_OURS = re.compile(r"kb[A-Za-z0-9]{30}\Z")

IN_TEXT = re.compile(r"kb(?=[A-Za-z0-9]{30})")
"""Where a key of ours can start in any text; `is_ours` decides. Letters and digits can be right before and after it."""


def generate() -> Secret:
    """A new API key from the operating system's randomness."""
    body = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return Secret(body + checksum(body))


def checksum(body: str) -> str:
    """The six base-62 digits of the CRC-32 of `body`, most significant first. It finds slips, not forgery."""
    number = zlib.crc32(body.encode("ascii"))
    return _PAIRS[number // _BASE**2] + _PAIRS[number // _BASE % _BASE] + _PAIRS[number % _BASE]


def is_well_formed(text: str) -> bool:
    """Whether any Zulip server would take `text` for a key: 32 ASCII letters and digits."""
    return WELL_FORMED.match(text) is not None


def is_ours(text: str) -> bool:
    """Whether `text` has the prefix and the checksum of a key that Keybearer made."""
    return _FORM_OF_OURS.match(text) is not None and checksum(text[:-CHECKSUM_LENGTH]) == text[-CHECKSUM_LENGTH:]


def find(text: str) -> list[tuple[int, Secret]]:
    """Every key of ours in `text` with the offset where it starts, whatever stands right before and after it."""
    starts = (match.start() for match in IN_TEXT.finditer(text))
    return [(start, Secret(text[start : start + LENGTH])) for start in starts if is_ours(text[start : start + LENGTH])]


def fingerprint(key: Secret) -> str:
    """Eight hexadecimal digits that tell keys apart in a log or a report and give nothing of the key away."""
    return hashlib.sha256(b"keybearer fingerprint\0" + key.reveal().encode("utf-8", "surrogatepass")).hexdigest()[:8]
