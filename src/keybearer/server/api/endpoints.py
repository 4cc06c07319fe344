"""Endpoints: the wire's routes, with what the OpenAPI document says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, TypedDict, Unpack

from keybearer.server.api.description import Parameter, Schema
from keybearer.server.domain.rules import Rule, Way
from keybearer.server.http.body import NO_BODY, BodyLimits
from keybearer.server.http.routing import Handler, Route


class Described(TypedDict, total=False):
    """The fields of an endpoint that may be left out."""

    takes: tuple[Parameter, ...]
    gives: Mapping[str, Schema]
    optional: frozenset[str]
    names_unsupported: bool


@dataclass(frozen=True)
class Endpoint(Route):
    """A route of the wire. Its path is below `/api/v1/` and `/json/`, as its rule's ways say.

    `summary`, `takes` and `gives` (the fields of a success beside the envelope) are what the OpenAPI document says.
    Zulip names unsupported parameters at most endpoints: `names_unsupported`. What Zulip has and this server has not is
    an endpoint too, which only refuses: `is_available` is False.
    """

    summary: str
    takes: tuple[Parameter, ...] = ()
    gives: Mapping[str, Schema] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    names_unsupported: bool = True
    is_available: bool = True

    @property
    def name(self) -> str:
        """The method and the path. It begins with `json/` where only sessions have it: keys may have another."""
        return f"{self.method} {'json/' if self.rule.ways is Way.SESSION else ''}{self.path}"

    @classmethod
    def get(cls, path: str, handler: Handler, rule: Rule, summary: str, **described: Unpack[Described]) -> Self:
        """What only shows: it takes no body."""
        return cls("GET", path, handler, rule, NO_BODY, summary, **described)

    @classmethod
    def post(
        cls, path: str, handler: Handler, rule: Rule, body: BodyLimits, summary: str, **described: Unpack[Described]
    ) -> Self:
        """What is called with POST."""
        return cls("POST", path, handler, rule, body, summary, **described)

    @classmethod
    def put(
        cls, path: str, handler: Handler, rule: Rule, body: BodyLimits, summary: str, **described: Unpack[Described]
    ) -> Self:
        """What is called with PUT."""
        return cls("PUT", path, handler, rule, body, summary, **described)

    @classmethod
    def patch(
        cls, path: str, handler: Handler, rule: Rule, body: BodyLimits, summary: str, **described: Unpack[Described]
    ) -> Self:
        """What is called with PATCH."""
        return cls("PATCH", path, handler, rule, body, summary, **described)

    @classmethod
    def delete(
        cls, path: str, handler: Handler, rule: Rule, body: BodyLimits, summary: str, **described: Unpack[Described]
    ) -> Self:
        """What is called with DELETE."""
        return cls("DELETE", path, handler, rule, body, summary, **described)
