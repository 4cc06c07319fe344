"""The OpenAPI document: valid, complete, and true for a running server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from keybearer.secret import Secret
from keybearer.server.api import openapi, routes
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.rules import Way
from keybearer.server.http import csrf
from keybearer.server.services import sessions
from keybearer.server.services.context import Context
from tests.in_process import InProcessServer
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer, running_server

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = {
    "/api/": {GenerationMode.POSITIVE: 1, GenerationMode.NEGATIVE: 1},
    "/json": {GenerationMode.POSITIVE: 1},
}
"""Questions for each operation, some valid and some invalid by the document. Handlers treat both alike."""

DOCUMENT = openapi.document(routes.endpoints(for_development=False))


def is_asked_in_every_run(path: str, operation: Any, number: int) -> bool:
    """Unavailable endpoints all answer alike, and the handlers by session are those by key."""
    return "200" in operation["responses"] and (path.startswith("/api/") or number % 4 == 0)


OPERATIONS = [
    pytest.param(path, method, marks=() if is_asked_in_every_run(path, operation, number) else pytest.mark.soak)
    for number, (path, methods) in enumerate(DOCUMENT["paths"].items())
    for method, operation in methods.items()
]
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


def test_the_document_is_valid() -> None:
    document = openapi.document(routes.endpoints(for_development=True))
    OpenAPIV31SpecValidator(document).validate()


def test_every_endpoint_is_in_the_document_for_each_way_of_calling_it() -> None:
    document = openapi.document(routes.endpoints(for_development=True))
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    expected = set()
    for endpoint in routes.endpoints(for_development=True):
        method, ways = endpoint.method.lower(), endpoint.rule.ways
        if ways & (Way.KEY | Way.NOBODY):
            expected.add((f"/api/v1/{endpoint.path}", method))
        if ways & Way.SESSION:
            expected.add((f"/json/{endpoint.path}", method))
    assert described == expected


async def test_the_document_is_served_without_authentication(server: InProcessServer) -> None:
    response = await server.client().get("/api/v1/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json()["openapi"].startswith("3.1")
    assert "/api/v1/users/me" in response.json()["paths"]
    assert "/api/v1/dev_fetch_api_key" not in response.json()["paths"]


@dataclass
class Owner:
    """The running server's owner, who asks by key or in a browser."""

    server: RunningServer
    api_key: str
    session: str

    def credentials(self, path: str) -> dict[str, Any]:
        """The credentials for a call of that path."""
        if path.startswith("/api/"):
            return {"auth": (OWNER_EMAIL, self.api_key)}
        token = csrf.token_of_session(self.session)
        return {"headers": {"Cookie": f"sessionid={self.session}", "X-CSRFToken": token}}


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """A server process without limits, so that each question gets its own answer."""
    environ = {"KEYBEARER_API_LIMIT": "1000000/minute", "KEYBEARER_FAILURE_LIMIT": "1000000/minute"}
    with running_server(tmp_path_factory.mktemp("openapi") / "data", environ=environ) as server:

        async def sign_in(context: Context) -> str:
            signed_in = await sessions.sign_in(context, OWNER_EMAIL, Secret(OWNER_PASSWORD), RequestOrigin())
            return signed_in.token.reveal()

        yield Owner(server, server.api_key_of(OWNER_EMAIL), server.on_data(sign_in))
        assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_a_running_server_gives_no_undocumented_answer_and_no_server_error(
    owner: Owner, path: str, method: str
) -> None:
    operation = DOCUMENT["paths"][path][method]
    for mode, examples in EXAMPLES[path[:5]].items():
        if mode is GenerationMode.NEGATIVE and not (operation["parameters"] or "requestBody" in operation):
            continue  # an endpoint without parameters cannot get a wrong one

        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=SCHEMA[path][method].as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            answer = case.call(base_url=owner.server.site, **owner.credentials(path))
            if path.endswith("users/me/api_key/regenerate") and answer.status_code == 200:
                owner.api_key = answer.json()["api_key"]
            case.validate_response(answer, checks=CHECKS)

        ask()


@pytest.fixture(scope="module")
def stranger() -> Iterator[httpx2.Client]:
    """Somebody without an account."""
    with httpx2.Client(timeout=30) as client:
        yield client


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_a_method_that_is_not_in_the_document_is_answered_with_the_documented_ones(
    owner: Owner, stranger: httpx2.Client, path: str
) -> None:
    url = owner.server.site + re.sub(r"\{\w+_id\}", "1", path).replace("{", "").replace("}", "")
    documented = {method.upper() for method in DOCUMENT["paths"][path]}
    for method in {"GET", "PUT", "POST", "PATCH", "DELETE", "TRACE", "PROPFIND"} - documented:
        response = stranger.request(method, url)
        assert response.status_code == 405, method
        assert {name.strip() for name in response.headers["allow"].split(",")} - {"HEAD"} == documented
