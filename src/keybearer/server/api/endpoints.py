"""Endpoints: the wire's routes, with their description in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, TypedDict, Unpack

from keybearer.server.api.description import Parameter, Schema
from keybearer.server.domain.rules import Rule, Way
from keybearer.server.http.body import NO_BODY, BodyLimits
from keybearer.server.http.routing import Handler, Route


class Described(TypedDict, total=False):
    """The optional fields of an endpoint."""

    takes: tuple[Parameter, ...]
    gives: Mapping[str, Schema]
    optional: frozenset[str]
    names_unsupported: bool


@dataclass(frozen=True)
class Endpoint(Route):
    """A route of the wire. Its path is below `/api/v1/`, `/json/` or both, depending on its rule's ways.

    `summary`, `takes` and `gives` (the fields of a success besides the envelope) are used in the OpenAPI document. At
    most endpoints Zulip names unsupported parameters: `names_unsupported`. Endpoints that Zulip has and this server
    does not have only refuse: their `is_available` is False.
    """

    summary: str
    takes: tuple[Parameter, ...] = ()
    gives: Mapping[str, Schema] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    names_unsupported: bool = True
    is_available: bool = True

    @property
    def name(self) -> str:
        """The method and the path. It begins with `json/` if only sessions have it, because keys may have another
        endpoint at that path.
        """
        return f"{self.method} {'json/' if self.rule.ways is Way.SESSION else ''}{self.path}"

    @classmethod
    def get(cls, path: str, handler: Handler, rule: Rule, summary: str, **described: Unpack[Described]) -> Self:
        """A route that only shows something. It has no body."""
        return cls("GET", path, handler, rule, NO_BODY, summary, **described)

    @classmethod
    def post(
        cls, path: str, handler: Handler, rule: Rule, body: BodyLimits, summary: str, **described: Unpack[Described]
    ) -> Self:
        """A route that is called with POST."""
        return cls("POST", path, handler, rule, body, summary, **described)

    @classmethod
    def put(
        cls, path: str, handler: Handler, rule: Rule, body: BodyLimits, summary: str, **described: Unpack[Described]
    ) -> Self:
        """A route that is called with PUT."""
        return cls("PUT", path, handler, rule, body, summary, **described)

    @classmethod
    def patch(
        cls, path: str, handler: Handler, rule: Rule, body: BodyLimits, summary: str, **described: Unpack[Described]
    ) -> Self:
        """A route that is called with PATCH."""
        return cls("PATCH", path, handler, rule, body, summary, **described)

    @classmethod
    def delete(
        cls, path: str, handler: Handler, rule: Rule, body: BodyLimits, summary: str, **described: Unpack[Described]
    ) -> Self:
        """A route that is called with DELETE."""
        return cls("DELETE", path, handler, rule, body, summary, **described)
