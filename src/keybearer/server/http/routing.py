"""Routes, and the places where they are found."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from keybearer.server.domain.errors import Refused
from keybearer.server.domain.rules import Rule, Way
from keybearer.server.http.body import SMALL_FORM, BodyLimits

METHOD_ORDER = ("GET", "PUT", "POST", "PATCH", "DELETE")

Handler = Callable[[Any], Awaitable[Any]]
"""What answers a request. It is given what its door makes of an admitted request."""


@dataclass(frozen=True)
class Route:
    """One method at one path. Every route has a rule.

    `path` begins after the prefix of its door. Numbers and words in it are names in braces.
    """

    method: str
    path: str
    handler: Handler
    rule: Rule
    body: BodyLimits

    @property
    def name(self) -> str:
        """The method and the path, by which the reference and the log name the route."""
        return f"{self.method} {self.path}"


class NothingHere(Refused):
    """No route has this path (status 404)."""

    def __init__(self) -> None:
        super().__init__("There is nothing at this address.")


class MethodNotAllowed(Refused):
    """The path has no such method (status 405)."""

    def __init__(self, methods: tuple[str, ...]) -> None:
        super().__init__("Method Not Allowed")
        self.methods = methods


class Place:
    """The routes that share a path behind one door.

    `by_key` and `by_session` say how callers may identify themselves here. `is_open` means that nobody has to. `body`
    holds the limits until the route of a form is known.
    """

    def __init__(self, path: str, ways: Way, routes: Mapping[str, Route]) -> None:
        methods = [method for method in METHOD_ORDER if method in routes]
        self.path = path
        self.routes = routes
        self.methods = (*methods, "HEAD") if "GET" in methods else tuple(methods)
        self.by_key = bool(ways & Way.KEY)
        self.by_session = bool(ways & Way.SESSION)
        self.is_open = all(route.rule.is_open for route in routes.values())
        self.body = BodyLimits.widest((SMALL_FORM, *(route.body for route in routes.values())))


@dataclass(frozen=True)
class Prefix:
    """The beginning of a door's paths, how callers identify themselves there, and what replaces a name in braces."""

    text: str
    ways: Way
    number: str = "[0-9]+"
    word: str = "[^/]+"
    rest: str = ".+"

    def compiled(self, path: str) -> re.Pattern[str]:
        """The pattern of a whole path. A name that ends in `_id` is a number; a `fragment` may contain slashes."""
        return _compiled(self, path)


@cache
def _compiled(prefix: Prefix, path: str) -> re.Pattern[str]:
    def group(match: re.Match[str]) -> str:
        name = match[1]
        fits = prefix.number if name.endswith("_id") else prefix.rest if name == "fragment" else prefix.word
        return f"(?P<{name}>{fits})"

    return re.compile(re.sub(r"\\\{(\w+)\\\}", group, re.escape(prefix.text + path)))


class Router:
    """The places below one prefix: fixed paths by look-up, others by pattern, in the order of the routes."""

    def __init__(self, prefix: Prefix, routes: Iterable[Route]) -> None:
        self.prefix = prefix
        self._fixed: dict[str, Place] = {}
        self._patterns: list[tuple[re.Pattern[str], Place]] = []
        grouped: dict[str, dict[str, Route]] = {}
        for route in routes:
            if route.rule.ways & prefix.ways:
                grouped.setdefault(route.path, {})[route.method] = route
        for path, by_method in grouped.items():
            place = Place(path, prefix.ways, by_method)
            if "{" in path:
                self._patterns.append((prefix.compiled(path), place))
            else:
                self._fixed[prefix.text + path] = place

    def find(self, path: str) -> tuple[Place, Mapping[str, str]] | None:
        """The place at a whole path, with the numbers and words in it. None if there is none."""
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed, _NOTHING
        for pattern, place in self._patterns:
            match = pattern.fullmatch(path)
            if match is not None:
                return place, match.groupdict()
        return None


_NOTHING: Mapping[str, str] = {}
