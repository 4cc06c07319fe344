"""Pages and the paths they are found at, with what each asks of its visitors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from starlette.convertors import Convertor
from starlette.responses import Response
from starlette.routing import compile_path

from keybearer.server.domain.permissions import Rule
from keybearer.server.web.visit import Visit

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
        """The path, with numbers and tokens in braces."""
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
        self._places = []
        for path, by_method in grouped.items():
            pattern, _, convertors = compile_path(path)
            self._places.append((pattern, convertors, Place(path, by_method)))

    def find(self, path: str) -> tuple[Place, dict[str, object]] | None:
        """The place at a path, with the numbers and tokens in it."""
        for pattern, convertors, place in self._places:
            match = pattern.match(path)
            if match is not None:
                return place, _converted(match.groupdict(), convertors)
        return None


def _converted(values: Mapping[str, str], convertors: Mapping[str, Convertor[object]]) -> dict[str, object]:
    return {name: convertors[name].convert(value) for name, value in values.items()}
