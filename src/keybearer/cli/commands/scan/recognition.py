"""What a leaked API key looks like in a text. Pure.

A key of ours is recognised by itself, wherever it stands. Any other Zulip key is 32 letters and digits like a thousand
other things, so it is the words around it that give it away: those of a zuliprc, of a variable, of a call.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from keybearer import api_key
from keybearer.secret import Secret

ALLOWED = "keybearer:allow"
"""In a line, this comment says that the key there is meant to be public."""

KINDS = {
    "keybearer": "API key made by Keybearer",
    "zuliprc": "API key in a zuliprc",
    "token": "token of an outgoing webhook bot in a zuliprc",
    "variable": "API key in a variable",
    "call": "API key in a call of Zulip's API",
}

LONGEST_SECTION = 60
"""Lines after `[api]` in which `key=` still belongs to it, in files that are not all zuliprc."""

_KEY = r"(?P<key>[A-Za-z0-9]{32})(?![A-Za-z0-9])"
_HEADER = re.compile(r"\[(api)\]|^\s*\[([^\[\]=\"']+)\]\s*$")
_SETTING = re.compile(
    r"(?<![\w.-])(email|key|site|token)[\"'`]?\s{0,8}[=:]\s{0,8}[\"'`]?([^\s\"'`,\\]+)", re.IGNORECASE
)
_VARIABLE = re.compile(
    r"zulip[\w.-]{0,40}key"
    r"[\"'`\])]{0,3}\s{0,8}"
    r"(?::\s?\w{1,20}\s?=|=>|:=|[=:,]|,?\s{0,40}[\"']?value[\"']?\s?:|\s)"
    r"\s{0,8}[\"'`]?" + _KEY,
    re.IGNORECASE | re.ASCII,
)
_CALL = re.compile(
    r"(?:api[_-]?key[\"'`\]]{0,2}\s{0,4}[=:\s]\s{0,4}[\"'`]?|@[\w.-]{1,120}:)" + _KEY, re.IGNORECASE | re.ASCII
)
_SIGN_OF_ZULIP = re.compile(r"zulip|/api/v1/", re.IGNORECASE)
_SECRETS = {"key": "zuliprc", "token": "token"}
_NEAR = 500
"""Characters around a call in which something must speak of Zulip."""

_FEWEST_DISTINCT = 5


@dataclass(frozen=True, slots=True)
class Leak:
    """A key in a text: in which line (from 1), of which of KINDS, and whose it is where the text says so."""

    kind: str
    key: Secret
    line: int
    email: str = ""
    site: str = ""


def search(text: str, first_line: int = 1) -> list[Leak]:
    """Every key in `text`, one for each line and key, in the order of lines. `first_line` is the number of the first.

    Lines that hold the comment ALLOWED are passed over.
    """
    lines = _Lines(text, first_line)
    found: dict[tuple[int, Secret], Leak] = {}
    for leak in _all(text, lines):
        if (leak.line, leak.key) not in found and not lines.is_allowed(leak.line):
            found[leak.line, leak.key] = leak
    return sorted(found.values(), key=lambda leak: leak.line)


def _all(text: str, lines: _Lines) -> Iterator[Leak]:
    """The same key may come more than once; the first is the one that says most about it."""
    lowered = text.lower()
    if "[api]" in text or ("site" in lowered and "email" in lowered and "key" in lowered):
        yield from _in_sections(lines)
    if "zulip" in lowered or "/api/v1/" in lowered:
        yield from _matches(_VARIABLE, "variable", text, lines)
        yield from _matches(_CALL, "call", text, lines)
    for offset, key in api_key.find(text):
        yield Leak("keybearer", key, lines.number(offset))


def _matches(pattern: re.Pattern[str], kind: str, text: str, lines: _Lines) -> Iterator[Leak]:
    for match in pattern.finditer(text):
        near = _SIGN_OF_ZULIP.search(text, max(0, match.start() - _NEAR), match.end() + _NEAR)
        if near and not _is_placeholder(match["key"]):
            yield _leak(kind, match["key"], lines.number(match.start("key")))


def _leak(kind: str, key: str, line: int, email: str = "", site: str = "") -> Leak:
    return Leak("keybearer" if api_key.is_ours(key) else kind, Secret(key), line, email, site)


def _is_placeholder(key: str) -> bool:
    """Whether this is `xxxxxxxx…` or the like. A random key has some 25 different characters."""
    return len(set(key)) < _FEWEST_DISTINCT


class _Lines:
    """The lines of a text, by offset, by number, and one after the other."""

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._first = first

    @cached_property
    def _ends(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self._text)]

    def number(self, offset: int) -> int:
        return self._first + bisect.bisect_left(self._ends, offset)

    def is_allowed(self, number: int) -> bool:
        index = number - self._first
        start = self._ends[index - 1] + 1 if index else 0
        end = self._ends[index] if index < len(self._ends) else len(self._text)
        return self._text.find(ALLOWED, start, end) >= 0

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Each line with its number. A text in quotes, which has its line breaks as `\\n`, comes in its own lines."""
        for number, line in enumerate(self._text.split("\n"), start=self._first):
            for part in line.replace("\\r", "").split("\\n"):
                yield number, part


@dataclass(slots=True)
class _Section:
    """A section of a zuliprc, as far as it was read."""

    name: str = ""
    line: int = 0
    settings: list[tuple[str, str, int]] = field(default_factory=list)

    def leaks(self) -> Iterator[Leak]:
        """The keys in it: of `[api]`, and of any section with an email and a site, as botserverrc files have them."""
        email, site = self._first("email"), self._first("site")
        if self.name != "api" and not (email and site):
            return
        for name, text, line in self.settings:
            if name in _SECRETS and api_key.is_well_formed(text) and not _is_placeholder(text):
                yield _leak(_SECRETS[name], text, line, email, site)

    def _first(self, wanted: str) -> str:
        return next((text for name, text, _ in self.settings if name == wanted), "")


def _in_sections(lines: _Lines) -> Iterator[Leak]:
    section = _Section()
    for number, line in lines:
        header = _HEADER.search(line)
        if header or number > section.line + LONGEST_SECTION:
            yield from section.leaks()
            section = _Section(header[1] or header[2], number) if header else _Section()
        if section.name:
            section.settings += [(match[1].lower(), match[2], number) for match in _SETTING.finditer(line)]
    yield from section.leaks()
