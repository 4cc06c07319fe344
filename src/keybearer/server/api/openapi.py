"""The OpenAPI document. It is generated from the endpoints that answer, so it cannot disagree with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from keybearer._version import __version__
from keybearer.server.api.answers import Answer
from keybearer.server.api.call import Call
from keybearer.server.api.description import STRING, Parameter, Schema, array, record
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.grants import scope_names
from keybearer.server.domain.rules import OPEN, Way

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_SUMMARY = """The REST API of Keybearer: accounts, bots and their API keys, on the wire that Zulip's clients speak.

A success has `result: success`, a failure `result: error`, a text `msg` and a `code` for programs. Parameters are form
fields. If a parameter is also in the query, the form's value counts. A form that is posted with the field `method`
means that method. HEAD is answered wherever GET is."""

_ERROR = {**record({"result": {"const": "error"}, "msg": STRING, "code": STRING})}
_LIMITED = record(
    {
        "result": {"const": "error"},
        "msg": STRING,
        "code": {"const": "RATE_LIMIT_HIT"},
        "retry-after": {"type": "number"},
    }
)
_NOT_ALLOWED = record({"result": {"const": "error"}, "msg": STRING, "allowed_methods": array(STRING)})

_FAILURES: dict[str, tuple[str, str, Schema]] = {
    "400": ("Refused: `msg` says why.", "application/json", _ERROR),
    "401": ("The sender is unknown, or may not sign in.", "application/json", _ERROR),
    "403": (
        "The key lacks the scope or may not be used from this network, or the form's token is missing or wrong.",
        "application/json",
        _ERROR,
    ),
    "404": (
        "This path does not exist or is not available, or no organization is at this host.",
        "application/json",
        _ERROR,
    ),
    "405": ("This path does not support the method.", "text/html; charset=utf-8", STRING),
    "413": ("The request is too large.", "application/json", _ERROR),
    "429": ("Too many requests. Try again after `retry-after` seconds.", "application/json", _LIMITED),
    "503": ("The server is busy or cannot use its database: try again soon.", "application/json", _ERROR),
}
_PAGES: dict[str, dict[str, Any]] = {"404": {"text/html; charset=utf-8": {"schema": STRING}}}
"""Answers that are also sent as a page: the answer for an unknown path, as in Zulip."""

_COMPONENTS = {
    "schemas": {"Error": _ERROR, "TooManyAttempts": _LIMITED, "MethodNotAllowed": _NOT_ALLOWED},
    "responses": {
        name: {"description": why, "content": {kind: {"schema": schema}, **_PAGES.get(name, {})}}
        for name, (why, kind, schema) in _FAILURES.items()
    },
    "securitySchemes": {
        "key": {
            "type": "http",
            "scheme": "basic",
            "description": "The account's email address and its API key. A named key needs the scopes listed here.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A browser's session (over https `__Host-sessionid`). Changes need the token of its cookie "
            "`csrftoken`, as the header `X-CSRFToken` or the field `csrfmiddlewaretoken`.",
        },
    },
}


def endpoint(others: Iterable[Endpoint]) -> Endpoint:
    """The endpoint that serves the document about these endpoints and itself."""

    async def get_document(_call: Call) -> Answer:
        return Answer(200, content)

    this = Endpoint.get("openapi.json", get_document, OPEN, "This document.", names_unsupported=False)
    content = msgspec.json.encode(document((*others, this)))
    return this


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The OpenAPI 3.1 document about these endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        for path, way in _places(each):
            paths.setdefault(path, {})[each.method.lower()] = _operation(each, path, way)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Keybearer", "version": __version__, "description": _SUMMARY},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": _COMPONENTS,
    }


def _places(each: Endpoint) -> Iterator[tuple[str, Way]]:
    if each.rule.ways & (Way.KEY | Way.NOBODY):
        yield f"/api/v1/{each.path}", Way.KEY
    if each.rule.ways & Way.SESSION:
        yield f"/json/{each.path}", Way.SESSION


def _operation(each: Endpoint, path: str, way: Way) -> dict[str, Any]:
    has_form = each.method != "GET"
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{each.method} {path}").strip("_").lower(),
        "summary": each.summary,
        "tags": [each.path.partition("/")[0]],
        "parameters": [_path_parameter(name) for name in re.findall(r"\{(\w+)\}", path)],
        "responses": _responses(each, way),
        "security": _security(each, way),
    }
    if not has_form:
        operation["parameters"] += [_query_parameter(parameter) for parameter in each.takes]
    elif each.takes:
        form = {"schema": _form(each.takes)}
        required = any(parameter.required for parameter in each.takes)
        operation["requestBody"] = {"required": required, "content": dict.fromkeys(_FORMS, form)}
    return operation


def _security(each: Endpoint, way: Way) -> list[dict[str, list[str]]]:
    """How callers identify themselves: by key, with the scopes that it needs, or by session."""
    if each.rule.ways & Way.NOBODY:
        return []
    return [{"key": scope_names(each.rule.scope)} if way is Way.KEY else {"session": []}]


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 0} if name.endswith("_id") else {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.meaning,
        "schema": parameter.schema,
    }


def _form(parameters: Iterable[Parameter]) -> Schema:
    takes = list(parameters)
    return {
        "type": "object",
        "properties": {each.name: {**each.schema, "description": each.meaning} for each in takes},
        "required": [each.name for each in takes if each.required],
    }


def _responses(each: Endpoint, way: Way) -> dict[str, Any]:
    statuses = ["400", "405", "413", "503"]
    if not each.rule.ways & Way.NOBODY:
        statuses += ["401", "403", "429"]
    elif each.method == "POST":
        statuses += ["401", "404", "429"]
    if "{" in each.path or not each.is_available:
        statuses.append("404")
    responses: dict[str, Any] = {"200": {"description": "Done.", "content": {"application/json": {"schema": {}}}}}
    if not each.is_available:
        responses = {}
    elif each.path != "openapi.json":
        optional = each.optional | {"ignored_parameters_unsupported"}
        schema = record(
            {
                "result": {"const": "success"},
                "msg": {"const": ""},
                **each.gives,
                "ignored_parameters_unsupported": array(STRING),
            },
            optional=optional,
        )
        responses["200"]["content"]["application/json"]["schema"] = schema
    responses |= {status: {"$ref": f"#/components/responses/{status}"} for status in sorted({*statuses})}
    return responses
