"""When a certificate begins and ceases to be good, out of its bytes.

Python's ssl module tells the dates of certificates that it has verified only, and neither those of a client's own nor
those of a server that is met with `insecure`.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


@dataclass(frozen=True, slots=True)
class Validity:
    """The time in which a certificate is good, both ends in it."""

    begins: datetime
    ends: datetime


def validities(pem: bytes) -> Iterator[Validity]:
    """Those of all certificates in a PEM file; what cannot be read is left out."""
    for found in _PEM.finditer(pem):
        try:
            yield validity(ssl.PEM_cert_to_DER_cert(found.group().decode("ascii")))
        except ValueError:
            continue


def validity(der: bytes) -> Validity:
    """That of one certificate (X.509, RFC 5280 section 4.1). Raises ValueError for what is none."""
    try:
        return _validity(memoryview(der))
    except IndexError:
        raise ValueError("not a certificate") from None


def _validity(der: memoryview) -> Validity:
    certificate, _ = _element(der, _SEQUENCE)
    rest, _ = _element(certificate, _SEQUENCE)
    if rest[0] == _VERSION:  # absent in certificates of the first version
        _, rest = _element(rest)
    for _ in ("serial number", "signature", "issuer"):
        _, rest = _element(rest)
    both, _ = _element(rest, _SEQUENCE)
    begins, rest = _time(both)
    ends, _ = _time(rest)
    return Validity(begins, ends)


def _element(der: memoryview, expected: int | None = None) -> tuple[memoryview, memoryview]:
    """The content of the first element, and what is behind it."""
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if (expected is not None and tag != expected) or len(der) < start + length:
        raise ValueError("not a certificate")
    return der[start : start + length], der[start + length :]


def _time(der: memoryview) -> tuple[datetime, memoryview]:
    content, rest = _element(der)
    text = bytes(content).decode("ascii")
    if der[0] == _UTC_TIME:  # two digits of the year: 50 to 99 are of the last century
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    elif der[0] != _GENERALIZED_TIME:
        raise ValueError("not a certificate")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), rest
