"""Endpoints and the paths they are found at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keybearer.server.api.call import Handler
from keybearer.server.api.parameters import Parameters
from keybearer.server.domain.permissions import PERMISSIONS, Rule, Way

_METHOD_ORDER = ("GET", "PUT", "POST", "PATCH", "DELETE")
_KINDS = {"user_id": r"\d{1,9}", "bot_id": r"\d{1,9}", "email": r"[^/]+"}
_OVERRIDABLE = ("GET", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method at one path. Its name is its row in the table of permissions."""

    name: str
    handler: Handler
    names_unsupported: bool = True

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.name.partition(" ")[0]

    @property
    def pattern(self) -> str:
        """The path below `/api/v1/` and `/json/`, numbers and names in braces."""
        return self.name.partition(" ")[2].removeprefix("json/")

    @property
    def rule(self) -> Rule:
        """What it asks of its callers. An endpoint without a row in the table cannot be made."""
        return PERMISSIONS[self.name]


@dataclass(frozen=True, slots=True)
class Path:
    """The endpoints that share a path and a way of being called."""

    pattern: str
    endpoints: Mapping[str, Endpoint]
    methods: tuple[str, ...] = field(init=False)
    is_open: bool = field(init=False)

    def __post_init__(self) -> None:
        methods = [method for method in _METHOD_ORDER if method in self.endpoints]
        if "GET" in methods:
            methods.append("HEAD")
        object.__setattr__(self, "methods", tuple(methods))
        is_open = all(endpoint.rule.ways & Way.NOBODY for endpoint in self.endpoints.values())
        object.__setattr__(self, "is_open", is_open)

    def overridden(self, method: str, parameters: Parameters) -> str:
        """The method that a POST means by its field `method`; that field counts as unsupported where POST exists."""
        if method != "POST" or "POST" in self.endpoints:
            return method
        wanted = parameters.peek("method")
        return wanted if wanted in _OVERRIDABLE else method


class Paths:
    """All paths of the wire: fixed ones by a look-up, the others by their patterns in the order they were given."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._fixed: dict[tuple[Way, str], Path] = {}
        self._patterns: list[tuple[Way, re.Pattern[str], Path]] = []
        grouped: dict[tuple[Way, str], dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            for way in (Way.KEY | Way.NOBODY, Way.SESSION):
                if endpoint.rule.ways & way:
                    grouped.setdefault((way, endpoint.pattern), {})[endpoint.method] = endpoint
        for (way, pattern), methods in grouped.items():
            path = Path(pattern, methods)
            if "{" in pattern:
                self._patterns.append((way, _compiled(pattern), path))
            else:
                self._fixed[way, pattern] = path

    def find(self, path: str, way: Way) -> tuple[Path, dict[str, str]] | None:
        """The path's endpoints and the numbers and names in it."""
        fixed = self._fixed.get((way, path))
        if fixed is not None:
            return fixed, {}
        for its_way, pattern, found in self._patterns:
            if its_way is way or its_way == way:
                match = pattern.fullmatch(path)
                if match is not None:
                    return found, match.groupdict()
        return None


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(
        re.sub(r"\\\{(\w+)\\\}", lambda m: f"(?P<{m[1]}>{_KINDS.get(m[1], r'[^/]+')})", re.escape(pattern))
    )
