"""Pages and the paths they are found at, with what each asks of its visitors."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from keybearer.server.domain.rules import Rule
from keybearer.server.web.visit import Visit

_NUMBER = "[0-9]{1,9}"
_WORD = "[A-Za-z0-9_-]+"

Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One method at one path. A GET shows, a POST changes; nothing else exists here."""

    name: str
    handler: Handler
    rule: Rule

    @property
    def method(self) -> str:
        """GET or POST."""
        return self.name.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path, with numbers and words in braces."""
        return self.name.partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Place:
    """The pages that share a path."""

    path: str
    pages: Mapping[str, Page]

    @property
    def methods(self) -> tuple[str, ...]:
        """What the path answers to."""
        return (
            ("GET", "HEAD", "POST") if len(self.pages) == 2 else ("GET", "HEAD") if "GET" in self.pages else ("POST",)
        )


class Places:
    """All pages, by their paths."""

    def __init__(self, pages: Iterable[Page]) -> None:
        grouped: dict[str, dict[str, Page]] = {}
        for page in pages:
            grouped.setdefault(page.path, {})[page.method] = page
        self._places = [(_compiled(path), Place(path, by_method)) for path, by_method in grouped.items()]

    def find(self, path: str) -> tuple[Place, dict[str, str]] | None:
        """The place at a path, with the numbers and words in it."""
        for pattern, place in self._places:
            match = pattern.fullmatch(path)
            if match is not None:
                return place, match.groupdict()
        return None


def _compiled(path: str) -> re.Pattern[str]:
    """`{account_id}` and its like are numbers that a database can hold; everything else in braces is a word."""
    return re.compile(re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{_NUMBER if m[1].endswith('_id') else _WORD})", path))
