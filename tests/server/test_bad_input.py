"""Bad input of any kind gets Zulip's answer for it: never a 500, never a traceback, and the server continues."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybearer.server.api.routes import endpoints
from keybearer.server.domain.accounts import Role
from tests.asgi import ask_raw
from tests.in_process import InProcessServer, prepared, serving
from tests.server_process import OWNER_EMAIL, RunningServer, running_server

FORM = b"application/x-www-form-urlencoded"
BOTS = "/api/v1/bots"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server process. Whatever it was sent, its log has no traceback."""
    with running_server(tmp_path_factory.mktemp("bad") / "data") as server:
        yield server
        log = server.log.read_text()
        assert "Traceback" not in log
        assert server.api_key_of(OWNER_EMAIL) not in log


def exchange(server: RunningServer, request: bytes, *, cut_off: bool = False) -> bytes:
    """What the server sends back to these bytes until it closes the connection. A request that is `cut_off` is never
    finished.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        with contextlib.suppress(OSError):  # it answered and closed the connection before reading everything
            connection.sendall(request)
        if cut_off:
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += piece
    return received


def authorized(server: RunningServer) -> bytes:
    credentials = base64.b64encode(f"{OWNER_EMAIL}:{server.api_key_of(OWNER_EMAIL)}".encode())
    return b"Host: localhost\r\nAuthorization: Basic " + credentials + b"\r\n"


HEAD = b"Host: localhost\r\nConnection: close\r\n"
RAW = {
    "no request at all": b"\x00\xff\xfe garbage\r\n\r\n",
    "a request line without a path": b"GET\r\n\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\n" + HEAD + b"\r\n",
    "no host": b"GET /api/v1/users/me HTTP/1.0\r\n\r\n",
    "two hosts": b"GET /api/v1/users/me HTTP/1.1\r\nHost: a.example\r\n" + HEAD + b"\r\n",
    "a host of garbage": b"GET /api/v1/users/me HTTP/1.1\r\nHost: \xff\xfe[::\r\nConnection: close\r\n\r\n",
    "NUL in the path": b"GET /api/v1/users/%00 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "bad UTF-8 in the path": b"GET /api/v1/users/%ff%fe%c0%80 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "bad escapes in the path": b"GET /api/v1/users/%zz%1 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a path upwards": b"GET /api/v1/../../../../etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a long path": b"GET /api/v1/users/" + b"a" * 60_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a long number in the path": b"GET /api/v1/users/" + b"9" * 6000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
    "another alphabet's digits": b"GET /api/v1/bots/%D9%A1%D9%A2/api_key HTTP/1.1\r\n" + HEAD + b"\r\n",
    "bad UTF-8 in the query": b"GET /api/v1/users/me?%ff=%fe&\xff=\xfe HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a strange method": b"FROBNICATE /api/v1/users/me HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a method in small letters": b"get /api/v1/users/me HTTP/1.1\r\n" + HEAD + b"\r\n",
    "CONNECT": b"CONNECT localhost:443 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n",
    "a huge header": b"GET /api/v1/users/me HTTP/1.1\r\n" + HEAD + b"X-Big: " + b"x" * 200_000 + b"\r\n\r\n",
    "many headers": b"GET /api/v1/users/me HTTP/1.1\r\n" + HEAD + b"X-One: 1\r\n" * 2000 + b"\r\n",
    "a header with a NUL": b"GET /api/v1/users/me HTTP/1.1\r\n" + HEAD + b"X-Nul: a\x00b\r\n\r\n",
    "a header of another alphabet": b"GET /api/v1/users/me HTTP/1.1\r\n"
    + HEAD
    + b"Authorization: B\xc3\xa4sic \xff\r\n\r\n",
    "a negative length": b"POST /api/v1/fetch_api_key HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n",
    "two lengths": b"POST /api/v1/bots HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a body cut off": b"POST /api/v1/fetch_api_key HTTP/1.1\r\n" + HEAD + b"Content-Length: 500\r\n\r\nshort",
    "bad chunks": b"POST /api/v1/bots HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nnope\r\n",
    "a chunk cut off": b"POST /api/v1/bots HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\nshort",
}


@pytest.mark.parametrize("request_bytes", RAW.values(), ids=RAW)
def test_a_malformed_request_breaks_nothing(running: RunningServer, request_bytes: bytes) -> None:
    received = exchange(running, request_bytes, cut_off=request_bytes.endswith(b"short"))
    if received:
        status = int(received.split(b" ", 2)[1])
        assert 200 <= status < 500, received[:200]
    assert b"200" in exchange(running, b"GET /api/v1/server_settings HTTP/1.1\r\n" + HEAD + b"\r\n").split(b"\r\n")[0]


def chunked(body: bytes) -> bytes:
    return b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def with_length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("framed", [chunked, with_length], ids=["chunked", "with its length"])
def test_a_form_in_one_piece_and_in_chunks_is_read_alike(running: RunningServer, framed: Any) -> None:
    name = framed.__name__.replace("_", "")
    body = f"full_name=Bot+{name}&short_name={name}".encode()
    head = b"POST /api/v1/bots HTTP/1.1\r\n" + authorized(running) + b"Connection: close\r\nContent-Type: " + FORM
    assert b'"result":"success"' in exchange(running, head + b"\r\n" + framed(body))


@pytest.mark.parametrize("framed", [chunked, with_length], ids=["chunked", "with its length"])
def test_a_body_that_is_too_large_is_refused_before_it_is_kept(running: RunningServer, framed: Any) -> None:
    body = b"full_name=" + b"x" * (2 * 1024 * 1024)
    head = b"POST /api/v1/bots HTTP/1.1\r\n" + authorized(running) + b"Connection: close\r\nContent-Type: " + FORM
    received = exchange(running, head + b"\r\n" + framed(body))
    assert received == b"" or received.startswith(b"HTTP/1.1 413 ")


@dataclass
class Target:
    """A server in this process for tests with very many questions, and the account that asks."""

    loop: asyncio.Runner
    server: InProcessServer
    authorization: bytes

    def status(self, scope: dict[str, Any], body: bytes = b"") -> int:
        """The status of the answer to a raw request."""
        return self.loop.run(ask_raw(self.server.app, scope, body)).status


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Target]:
    directory = tmp_path_factory.mktemp("asked") / "data"
    unlimited = "1000000/minute"
    chosen = prepared(directory, sqlite_template, api_limit=unlimited, failure_limit=unlimited)
    with asyncio.Runner() as loop:
        context = serving(chosen)
        server = loop.run(context.__aenter__())
        try:
            olive = loop.run(server.add_person("olive", Role.OWNER))
            loop.run(server.add_bot(olive, "helper"))
            credentials = base64.b64encode(":".join(olive.auth).encode())
            yield Target(loop, server, b"Basic " + credentials)
        finally:
            loop.run(context.__aexit__(None, None, None))


PATHS = sorted({f"/api/v1/{endpoint.path}" for endpoint in endpoints(for_development=True)})
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "X"]
OWN = {endpoint.name: [each.name for each in endpoint.takes] for endpoint in endpoints(for_development=True)}
"""Endpoint → the parameters that it reads."""

NAMES = ["full_name", "short_name", "bot_type", "payload_url", "token", "role", "username", "password", "method", "to"]
VALUES = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.floats().map(str),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ).map(json.dumps),
    st.sampled_from(["\x00", "\ud83d", '"\\ud800"', '"\\u0000"', "[" * 3000, "1e999", "99999999999999999999", "-0"]),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"accept", b"content-type", b"content-length", b"cookie", b"origin", b"referer", b"user-agent", b"host"]
        ),
        st.binary(max_size=40),
    ),
    max_size=3,
)
MANY = settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def encoded(fields: list[tuple[str, str]]) -> bytes:
    return "&".join(f"{name}={value}" for name, value in fields).encode("utf-8", "surrogatepass")


def calls() -> st.SearchStrategy[tuple[str, str, list[tuple[str, str]]]]:
    """An endpoint's method and path, with parameters that it reads and others, or a path with any method."""

    def with_fields(method: str, path: str, names: list[str]) -> st.SearchStrategy[Any]:
        fields = st.lists(st.tuples(st.sampled_from(names), VALUES), max_size=5)
        return st.tuples(st.just(method), st.just(path), fields)

    known = st.sampled_from(sorted(OWN)).flatmap(
        lambda name: with_fields(
            name.partition(" ")[0],
            "/api/v1/" + name.partition(" ")[2].removeprefix("json/"),
            [*OWN[name], "unknown"],
        )
    )
    others = st.tuples(st.sampled_from(METHODS), st.sampled_from(PATHS)).flatmap(lambda at: with_fields(*at, NAMES))
    return known | known | others


@settings(MANY, max_examples=500)
@given(calls(), st.sampled_from(["form", "query", "multipart"]), st.integers(0, 3))
def test_any_parameter_to_any_endpoint_is_understood_or_refused(
    target: Target, asking: tuple[str, str, list[tuple[str, str]]], where: str, number: int
) -> None:
    method, path, fields = asking
    if path.endswith(("api_key/regenerate", "/users/me", "/events")) and method in ("POST", "DELETE", "GET"):
        return  # they end the caller's key, or wait
    for name in ("user_id", "bot_id", "invite_id", "message_id", "stream_id", "email", "user"):
        path = path.replace(f"{{{name}}}", str(number))
    headers = [(b"host", b"localhost"), (b"authorization", target.authorization)]
    scope: dict[str, Any] = {"method": method, "path": path, "headers": headers}
    body = b""
    if where == "query":
        scope["query_string"] = encoded(fields)
    elif where == "form":
        headers.append((b"content-type", FORM))
        body = encoded(fields)
    else:
        headers.append((b"content-type", b"multipart/form-data; boundary=b"))
        body = b"".join(
            b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
            % (name.encode(), value.encode("utf-8", "surrogatepass"))
            for name, value in fields
        )
    assert target.status(scope, body) < 500


@MANY
@given(st.sampled_from(PATHS), HEADERS, st.binary(max_size=60), st.binary(max_size=20))
def test_any_header_and_any_body_is_answered(
    target: Target, path: str, headers: list[tuple[bytes, bytes]], body: bytes, query: bytes
) -> None:
    known = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=b")]
    for method in ("GET", "POST"):
        for prefix in ("/api/v1/", "/json/"):
            scope = {
                "method": method,
                "path": path.replace("/api/v1/", prefix),
                "headers": [*headers, *known],
                "query_string": query,
            }
            assert target.status(scope, body) < 500


@MANY
@given(st.binary(max_size=80))
def test_any_authorization_header_is_answered(target: Target, credentials: bytes) -> None:
    for value in (credentials, b"Basic " + credentials, b"Basic " + base64.b64encode(credentials)):
        headers = [(b"host", b"localhost"), (b"authorization", value)]
        assert target.status({"path": "/api/v1/users/me", "headers": headers}) in (400, 401)


@MANY
@given(st.text(max_size=60))
def test_any_path_is_answered(target: Target, path: str) -> None:
    for prefix in ("/api/v1/users/", "/api/", "/json/", "/", "/avatar/", "/accounts/password/reset/"):
        scope = {"path": prefix + path, "raw_path": b"/", "headers": [(b"host", b"localhost")]}
        assert target.status(scope) < 500


@MANY
@given(st.sampled_from(["text/plain", "multipart/form-data", "application/json"]), st.text(max_size=40))
def test_any_content_type_is_answered(target: Target, kind: str, parameters: str) -> None:
    value = f"{kind};{parameters}".encode("utf-8", "surrogatepass")
    headers = [(b"host", b"localhost"), (b"authorization", target.authorization), (b"content-type", value)]
    assert target.status({"method": "POST", "path": BOTS, "headers": headers}, b"--b\r\n\r\n--b--") == 400


def test_too_many_fields_are_refused(target: Target) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", target.authorization), (b"content-type", FORM)]
    body = b"&".join(b"f%d=1" % number for number in range(1001))
    assert target.status({"method": "POST", "path": BOTS, "headers": headers}, body) == 400


def test_a_null_character_is_refused_at_any_depth(target: Target) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", target.authorization), (b"content-type", FORM)]
    for depth in (1, 400, 900):
        body = b"bot_type=" + quote("[" * depth + '"\\u0000"' + "]" * depth).encode()
        assert target.status({"method": "POST", "path": BOTS, "headers": headers}, body) == 400


def test_a_path_that_begins_with_two_slashes_equals_the_path_with_one(target: Target) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", target.authorization)]
    assert target.status({"path": "//api/v1/users/me", "headers": headers}) == 200
    assert target.status({"path": "///json/users/me", "headers": headers}) == 401


def test_none_of_it_caused_a_server_error(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        for path in PATHS:
            headers = [(b"host", b"localhost"), (b"authorization", target.authorization)]
            target.status({"path": path.replace("{", "").replace("}", ""), "headers": headers})
    assert caplog.records == []
