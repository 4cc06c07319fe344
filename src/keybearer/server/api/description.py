"""What the OpenAPI document says about parameters and answers: JSON schemas, and how Zulip puts values into a form."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from keybearer.server.domain.limits import MOST_ENTRIES

Schema = Mapping[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
NULL: Schema = {"type": "null"}
EMAIL: Schema = {"type": "string", "description": "An email address."}
API_KEY: Schema = {
    "type": "string",
    "pattern": "^[A-Za-z0-9]{32}$",
    "description": "An API key. Its holder can do whatever the account can do.",
}


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    return {"anyOf": [schema, NULL]}


def array(schema: Schema) -> Schema:
    """A list of these items."""
    return {"type": "array", "items": schema}


def by_key(schema: Schema) -> Schema:
    """An object whose names are ids or addresses, with values like this."""
    return {"type": "object", "additionalProperties": schema}


def constant(value: str) -> Schema:
    """Exactly this text."""
    return {"const": value}


def one_of(*schemas: Schema) -> Schema:
    """Any one of these."""
    return {"anyOf": list(schemas)}


def record(fields: Mapping[str, Schema], *, optional: Set[str] = frozenset()) -> Schema:
    """An object with these fields. Later versions may send more."""
    return {"type": "object", "properties": dict(fields), "required": [name for name in fields if name not in optional]}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `schema` describes the text in the form or query, which for many types is JSON.

    `most` is how many entries a list may have. A parameter that `is_conditional` is supported only with some values or
    next to some other parameters. Otherwise it is named as unsupported.
    """

    name: str
    schema: Schema
    meaning: str
    required: bool = False
    most: int | None = None
    is_conditional: bool = False


def text(
    name: str, meaning: str, *, required: bool = False, max_length: int | None = None, most: int | None = None
) -> Parameter:
    """A plain text. With `most`, it may be a list, separated by commas or as JSON."""
    schema = STRING if max_length is None else {**STRING, "maxLength": max_length}
    return Parameter(name, schema, meaning, required, most)


def integer(name: str, meaning: str, *, required: bool = False) -> Parameter:
    """A whole number."""
    return Parameter(name, {"type": "integer", "format": "int32"}, meaning, required)


def choice(name: str, meaning: str, allowed: tuple[int, ...]) -> Parameter:
    """A whole number from a list."""
    return Parameter(name, {"type": "integer", "enum": list(allowed)}, meaning)


def boolean(name: str, meaning: str) -> Parameter:
    """`true` or `false`."""
    return Parameter(name, BOOLEAN, meaning)


def fixed(name: str, meaning: str, *, so: bool) -> Parameter:
    """`true` or `false`, only one of which is supported."""
    return Parameter(name, BOOLEAN, f"{meaning} Only {str(so).lower()} is supported.", is_conditional=True)


def conditional(parameter: Parameter) -> Parameter:
    """The same, but supported only next to some other parameters."""
    return replace(parameter, is_conditional=True)


def encoded(name: str, meaning: str, schema: Schema, *, most: int | None = None) -> Parameter:
    """A value that is JSON-encoded in the text. A list has at most `most` entries, or as many as any list may have."""
    if schema.get("type") == "array":
        most = MOST_ENTRIES if most is None else most
        schema = {**schema, "maxItems": most}
    described = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return Parameter(name, described, meaning, most=most)
