"""Endpoints and the paths they are found at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keybearer.server.api.call import Handler
from keybearer.server.api.description import Parameter, Schema
from keybearer.server.api.parameters import LARGEST_MULTIPART, Parameters
from keybearer.server.domain.permissions import PERMISSIONS
from keybearer.server.domain.rules import Rule, Way

_METHOD_ORDER = ("GET", "PUT", "POST", "PATCH", "DELETE")
_NUMBER = r"[0-9]+"
_NAME = r"[^/]+"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method at one path. Its name is its row in the table of permissions.

    `summary`, `takes` and `gives` (the fields of a success beside the envelope) are what the OpenAPI document says.
    Zulip names unsupported parameters at most endpoints: `names_unsupported`. `largest_upload` is in bytes, of a whole
    form with files.
    """

    name: str
    handler: Handler
    summary: str
    takes: tuple[Parameter, ...] = ()
    gives: Mapping[str, Schema] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    names_unsupported: bool = True
    largest_upload: int = LARGEST_MULTIPART

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
    largest_upload: int = field(init=False)

    def __post_init__(self) -> None:
        methods = [method for method in _METHOD_ORDER if method in self.endpoints]
        if "GET" in methods:
            methods.append("HEAD")
        object.__setattr__(self, "methods", tuple(methods))
        is_open = all(endpoint.rule.is_open for endpoint in self.endpoints.values())
        object.__setattr__(self, "is_open", is_open)
        largest_upload = max(endpoint.largest_upload for endpoint in self.endpoints.values())
        object.__setattr__(self, "largest_upload", largest_upload)

    def meant(self, method: str, parameters: Parameters) -> str:
        """The method that is meant: a form posted with the field `method` means that one, as in Zulip."""
        return method if parameters.method is None or self.is_open else parameters.method


class Paths:
    """All paths of the wire: fixed ones by a look-up, the others by their patterns in the order they were given."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._fixed: dict[Way, dict[str, Path]] = {API: {}, WEB: {}}
        self._patterns: dict[Way, list[tuple[re.Pattern[str], Path]]] = {API: [], WEB: []}
        grouped: dict[tuple[Way, str], dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            for way in (API, WEB):
                if endpoint.rule.ways & way:
                    grouped.setdefault((way, endpoint.pattern), {})[endpoint.method] = endpoint
        for (way, pattern), methods in grouped.items():
            path = Path(pattern, methods)
            if "{" in pattern:
                self._patterns[way].append((_compiled(pattern), path))
            else:
                self._fixed[way][pattern] = path

    def find(self, path: str, way: Way) -> tuple[Path, dict[str, str]] | None:
        """The path's endpoints (below `/api/v1/` for the way `API`, below `/json/` for `WEB`) and what is in it."""
        fixed = self._fixed[way].get(path)
        if fixed is not None:
            return fixed, {}
        for pattern, found in self._patterns[way]:
            match = pattern.fullmatch(path)
            if match is not None:
                return found, match.groupdict()
        return None


API = Way.KEY | Way.NOBODY
"""How `/api/v1/` is called."""

WEB = Way.SESSION
"""How `/json/` is called."""


def _compiled(pattern: str) -> re.Pattern[str]:
    def group(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{_NUMBER if match[1].endswith('_id') else _NAME})"

    return re.compile(re.sub(r"\\\{(\w+)\\\}", group, re.escape(pattern)))
