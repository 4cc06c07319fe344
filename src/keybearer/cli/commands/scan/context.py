"""Decides from the surrounding text whether 32 letters and digits are a Zulip API key, and whose. Pure.

All functions read at most REACH characters on either side, so the time is linear in the length of the text.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from keybearer.cli.commands.scan.encodings import without_escapes
from keybearer.cli.commands.scan.names import Name, name_before

REACH = 2000
"""The number of characters on either side of a key that are considered."""

_NEAR = 500
_BESIDE = 250

Likeness = Literal["random", "possible"]
"""`random`: capitals, small letters and digits, as in Zulip's keys. `possible`: hexadecimal digits, as in its keys
until 2019, but also in hashes. Such a key needs more evidence.
"""

_FEWEST_DISTINCT = 9
"""A random key has about 25 different characters, one of hexadecimal digits about 14."""


def likeness(word: str) -> Likeness | None:
    """The possible kind of key of the 32 characters. None for a name or a placeholder like `xxxx…` or `0123…`."""
    steps = sum(ord(later) - ord(word[i]) == 1 for lag in (1, 2) for i, later in enumerate(word[lag:]))
    if len(set(word)) < _FEWEST_DISTINCT or steps > len(word) // 3 or word in (word * 2)[1:-1]:
        return None
    capitals = sum(character.isupper() for character in word)
    digits = sum(character.isdigit() for character in word)
    if capitals >= 4 and 32 - capitals - digits >= 4:
        return "random" if digits or 9 <= capitals <= 23 else None
    return "possible" if digits >= 3 else None


_ZULIP = re.compile(r"zulip|humbug", re.IGNORECASE)
_ENDPOINT = re.compile(r"/api/v1/(?:external|messages|users|streams|register|events|typing|realm|bots)", re.IGNORECASE)
_CLUES = ("zulip", "humbug", "api", "@", "mail", "user", "login")
"""Without one of these, there is no evidence for a key."""

_ADDRESS = r"(?<![\w.+-])[\w.+-]{1,64}@(?:(?:[\w-]{1,63}\.){1,8}(?:[A-Za-z]{2,24}|\d{1,3})|localhost)"
_EMAIL = re.compile(_ADDRESS + r"(?![\w@-])", re.ASCII)
_EMAIL_BEFORE = re.compile(_ADDRESS + r"[\"'`]?\s{0,20}[,:;|\s]\s{0,20}[\"'`]?\Z", re.ASCII)
_BASIC_BEFORE = re.compile(r"basic\s{1,4}" + _ADDRESS + r":\Z", re.ASCII | re.IGNORECASE)
_ADDRESS_OF_BOT_BEFORE = re.compile(r"zulip://[^\s\"'<>]{1,150}[/:]\Z", re.IGNORECASE)
"""Addresses of notifiers: `zulip://bot@organization/KEY/channel`, `zulip://bot@example.com:KEY@site`."""

_SITE = re.compile(
    r"(https?://)(?:[^\s/@\"'<>\\]{1,200}@)?((?:[\w-]{1,63}\.){0,8}[\w-]{1,63}(?::\d{1,5})?)"
    r"|(?:site|realm|server|host|domain|machine|url)[\"'`\])]{0,3}\s{0,4}[=:\s,>]\s{0,4}[\"'`]?"
    r"((?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?::\d{1,5})?)(?![\w.(@-])"
    r"|(?<![\w.@-])([\w-]{1,63}\.zulipchat\.com)",
    re.ASCII | re.IGNORECASE,
)
_HEADER = re.compile(r"^[ \t>+#*|-]{0,8}\[([^\[\]=\"',\n]{1,60})\][ \t]{0,8}\r?$|\[(api)\]", re.MULTILINE)
_EMAIL_AND_SITE = (
    re.compile(r"\b(?:e?mail|user(?:name)?)\W{1,8}[\w.+-]+@", re.I),
    re.compile(r"\bsite\W{1,8}\w", re.I),
)
_SETTING_BEFORE = re.compile(r"\b(key|token)[\"'`]?\s{0,8}[=:]\s{0,8}[\"'`]?\Z", re.IGNORECASE)
_BASE64 = string.ascii_letters + string.digits + "+/"


def kind(before: str, after: str, likeness: Likeness) -> str | None:
    """The kind (of KINDS) of the key between two texts. None without evidence that it is a Zulip key."""
    if _is_in_base64(before, after):
        return None
    nearby = f"{before[-_NEAR:]} {after[:_NEAR]}".lower()
    if not any(clue in nearby for clue in _CLUES) and "zulip" not in before and "[api]" not in before:
        return None
    start = without_escapes(before[-_NEAR:])[-_BESIDE:]  # costs much less than the whole place
    if len(start) == _BESIDE and "[" not in start and _name_at_end(start) is Name.OTHER:
        return None
    place = _Place.of(before, after)
    name = _name_at_end(place.before[-_BESIDE:])
    if name is Name.OTHER:
        return None
    if name is Name.ZULIP:
        return "variable"
    return _by_section(place, name) or _by_call(place, name, likeness) or _by_neighbours(place, name, likeness)


def owner(before: str, after: str) -> tuple[str, str]:
    """The email and the site of the key between two texts. Each is empty if the texts do not have it."""
    place = _Place.of(before, after)
    return _nearest(_EMAIL, place), _nearest(_SITE, place)


@dataclass(frozen=True, slots=True)
class _Place:
    """The text on both sides of a key, without escapes, within its section of a file like a zuliprc."""

    before: str
    after: str
    section: str
    near: str
    around: str

    @classmethod
    @lru_cache(maxsize=1)
    def of(cls, before: str, after: str) -> _Place:
        before, after = without_escapes(before), without_escapes(after[:_NEAR])
        header = _last(_HEADER, before)
        end = _HEADER.search(after)
        return cls(
            before[header.end() :] if header else before,
            after[: end.start()] if end else after,
            (header[1] or header[2]) if header else "",
            f"{before[-_NEAR:]} {after}",
            f"{before} {after}",
        )

    def beside(self) -> str:
        return f"{self.before[-_BESIDE:]} {self.after[:_BESIDE]}"


def _name_at_end(start: str) -> Name | None:
    return None if _EMAIL_BEFORE.search(start) else name_before(start)


def _by_section(place: _Place, name: Name | None) -> str | None:
    """The kind of a key in a zuliprc, or in a section or mapping with the same settings."""
    if name not in {Name.KEY, Name.API_KEY}:
        return None
    if place.section == "api" or all(setting.search(place.beside()) for setting in _EMAIL_AND_SITE):
        setting = _SETTING_BEFORE.search(place.before[-_BESIDE:])
        return "token" if setting and setting[1].lower() == "token" else "zuliprc"
    return None


def _by_call(place: _Place, name: Name | None, likeness: Likeness) -> str | None:
    """The kind of a key in a call of the API, or in an address."""
    around = place.around if likeness == "random" else place.near
    calls_zulip = _ZULIP.search(around) or _ENDPOINT.search(around)
    start = place.before[-_BESIDE:]
    if _ADDRESS_OF_BOT_BEFORE.search(start):
        return "call"
    if calls_zulip and (name is Name.API_KEY or _EMAIL_BEFORE.search(start)):
        return "call"
    if likeness == "random" and (_BASIC_BEFORE.search(start) or (name is Name.API_KEY and "/api/v1" in place.around)):
        return "call"
    return None


def _by_neighbours(place: _Place, name: Name | None, likeness: Likeness) -> str | None:
    """The kind of a key beside the email and the site of its account, or near the word Zulip."""
    mentions_zulip = _ZULIP.search(place.near)
    beside = place.beside()
    complete = _EMAIL.search(beside) and _SITE.search(beside)
    if likeness == "random" and (complete or (name is Name.KEY and mentions_zulip)):
        return "credentials"
    if complete and mentions_zulip and name in {Name.KEY, Name.API_KEY}:
        return "credentials"
    return None


def _nearest(pattern: re.Pattern[str], place: _Place) -> str:
    before = place.before[-_NEAR:]
    found, later = _last(pattern, before), pattern.search(place.after)
    if found is None or (later is not None and later.start() < len(before) - found.end()):
        found = later
    if found is None:
        return ""
    return "".join(filter(None, found.groups())) or found[0]


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(reversed(list(pattern.finditer(text))), None)


def _is_in_base64(before: str, after: str) -> bool:
    """Whether the key is a part of longer base64, such as a checksum in a lock file."""
    start, end = before[-64:], after[:64]
    return len(start) - len(start.rstrip(_BASE64)) + len(end) - len(end.lstrip(_BASE64)) > 32
