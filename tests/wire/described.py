"""Whether an answer is what the OpenAPI document says: every field known and of its type, and none missing.

The document lets later versions add fields. Here only the fields that it names may be present.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx2
from jsonschema import Draft202012Validator

from keybearer.server.api import openapi, routes

_ENDPOINTS = routes.endpoints(for_development=True)
_DOCUMENT = openapi.document(_ENDPOINTS)
_FREE = ("/api/v1/openapi.json",)


def closed(schema: Any) -> Any:
    """The schema, in which records have no other fields than those it names."""
    if isinstance(schema, Mapping):
        inner = {name: closed(value) for name, value in schema.items()}
        if "properties" in inner and inner.get("type") == "object":
            inner.setdefault("additionalProperties", False)
        return inner
    return [closed(each) for each in schema] if isinstance(schema, list) else schema


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [
        (
            re.compile(re.sub(r"\\\{\w+_id\\\}", "[0-9]+", re.sub(r"\\\{\w+(?<!_id)\\\}", "[^/]+", re.escape(path)))),
            path,
        )
        for path in _DOCUMENT["paths"]
    ]


@cache
def _validator(path: str, method: str) -> Draft202012Validator:
    operation = _DOCUMENT["paths"][path][method]
    return Draft202012Validator(closed(operation["responses"]["200"]["content"]["application/json"]["schema"]))


@cache
def _supported(path: str, method: str) -> frozenset[str]:
    """What an endpoint says it accepts, except parameters that may have only one value."""
    name = path.removeprefix("/api/v1/").removeprefix("/json/")
    return frozenset(
        each.name
        for endpoint in _ENDPOINTS
        if (endpoint.method, endpoint.path) == (method, name)
        for each in endpoint.takes
        if not each.is_conditional
    )


def place(path: str, method: str) -> str | None:
    """The path in the document that matches a called path. None if it is not an endpoint."""
    for pattern, documented in _patterns():
        if pattern.fullmatch(path) and method.lower() in _DOCUMENT["paths"][documented]:
            return documented
    return None


def check(method: str, path: str, answer: Any) -> None:
    """Raise AssertionError if a success is not what the document says."""
    documented = place(path, method)
    if documented is None or documented in _FREE or not isinstance(answer, Mapping):
        return
    if answer.get("result") != "success":
        return
    ignored = set(answer.get("ignored_parameters_unsupported", ())) & _supported(documented, method.upper())
    assert not ignored, f"{method} {documented} says that it accepts {ignored}, but ignores them"
    errors = list(_validator(documented, method.lower()).iter_errors(answer))
    if errors:
        raise AssertionError(f"{method} {documented}: " + "; ".join(map(_message, errors[:3])))


def _message(error: Any) -> str:
    nearest = min(
        error.context, key=lambda each: len(list(each.context or ())) + each.message.count("const"), default=error
    )
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]} ({nearest.message[:200]})"


async def check_response(response: httpx2.Response) -> None:
    """The hook for clients of tests: every answer of the wire is checked when it arrives."""
    path, method = response.request.url.path, response.request.method
    if (
        method != "HEAD"
        and path.startswith(("/api/v1/", "/json/"))
        and response.headers.get("content-type") == "application/json"
    ):
        await response.aread()
        check(method, path, response.json())
