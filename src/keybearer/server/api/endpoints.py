"""Endpoints: the wire's routes, with what the OpenAPI document says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keybearer.server.api.description import Parameter, Schema
from keybearer.server.domain.rules import Way
from keybearer.server.http.routing import Route


@dataclass(frozen=True)
class Endpoint(Route):
    """A route of the wire. Its path is below `/api/v1/` and `/json/`, as its rule's ways say.

    `summary`, `takes` and `gives` (the fields of a success beside the envelope) are what the OpenAPI document says.
    Zulip names unsupported parameters at most endpoints: `names_unsupported`.
    """

    summary: str
    takes: tuple[Parameter, ...] = ()
    gives: Mapping[str, Schema] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    names_unsupported: bool = True

    @property
    def name(self) -> str:
        """The method and the path. It begins with `json/` where only sessions have it: keys may have another."""
        return f"{self.method} {'json/' if self.rule.ways is Way.SESSION else ''}{self.path}"
