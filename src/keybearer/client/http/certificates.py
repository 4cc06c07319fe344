"""Reads from the bytes of a certificate when it is valid and who issued it.

Python's ssl module reports this only for certificates that it has verified. It does not for the client's own, and not
for those of a server that is not trusted.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_ENCODINGS = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}
"""The encodings of strings in names. All others are UTF-8 or a subset of it."""

_COMMON_NAME, _ORGANIZATION = b"\x55\x04\x03", (b"\x55\x04\x0a", b"\x55\x04\x0b")
"""Object identifiers of the common name, and of the organization and its unit."""


class Certificate(NamedTuple):
    """A certificate: its issuer, whether it issued itself, and when it is valid, with both ends included."""

    issuer: str
    is_self_issued: bool
    begins: datetime
    ends: datetime


def certificates(pem: bytes) -> Iterator[Certificate]:
    """All certificates in a PEM file, without those that cannot be read."""
    for found in _PEM.finditer(pem):
        try:
            yield certificate(ssl.PEM_cert_to_DER_cert(found.group().decode("ascii")))
        except ValueError:
            continue


def certificate(der: bytes) -> Certificate:
    """One certificate (X.509, RFC 5280 section 4.1). Raises ValueError if it is not a certificate."""
    try:
        return _certificate(memoryview(der))
    except IndexError:
        raise ValueError("not a certificate") from None


def _certificate(der: memoryview) -> Certificate:
    whole, _ = _element(der, _SEQUENCE)
    rest, _ = _element(whole, _SEQUENCE)
    if rest[0] == _VERSION:  # absent in certificates of the first version
        _, rest = _element(rest)
    for _ in ("serial number", "signature"):
        _, rest = _element(rest)
    issuer, rest = _element(rest, _SEQUENCE)
    both, rest = _element(rest, _SEQUENCE)
    begins, until = _time(both)
    ends, _ = _time(until)
    subject, _ = _element(rest, _SEQUENCE)
    return Certificate(_name(issuer), bytes(issuer) == bytes(subject), begins, ends)


def _element(der: memoryview, expected: int | None = None) -> tuple[memoryview, memoryview]:
    """The content of the first element, and the rest after it."""
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if (expected is not None and tag != expected) or len(der) < start + length:
        raise ValueError("not a certificate")
    return der[start : start + length], der[start + length :]


def _name(der: memoryview) -> str:
    """The common name, else the organization with its unit, else nothing."""
    found: dict[bytes, str] = {}
    while der:
        attributes, der = _element(der)
        while attributes:
            pair, attributes = _element(attributes, _SEQUENCE)
            kind, value = _element(pair)
            text, _ = _element(value)
            found[bytes(kind)] = bytes(text).decode(_ENCODINGS.get(value[0], "utf-8"), "replace")
    return found.get(_COMMON_NAME) or ", ".join(found[kind] for kind in _ORGANIZATION if kind in found)


def _time(der: memoryview) -> tuple[datetime, memoryview]:
    content, rest = _element(der)
    text = bytes(content).decode("ascii")
    if der[0] == _UTC_TIME:  # two digits of the year: 50 to 99 are in the last century
        text = f"{'19' if text[:2] >= '50' else '20'}{text}"
    elif der[0] != _GENERALIZED_TIME:
        raise ValueError("not a certificate")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), rest
