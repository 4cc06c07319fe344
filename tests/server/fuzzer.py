"""Odd requests to every route of a server, and what every answer must be."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from keybearer.server.api import routes
from keybearer.server.api.door import BY_KEY, BY_SESSION
from keybearer.server.http.routing import Router
from tests.asgi import Answer, Headers, ask_raw
from tests.in_process import InProcessServer
from tests.server.questions import Question

WIRE = [Router(prefix, routes.endpoints(for_development=False)) for prefix in (BY_KEY, BY_SESSION)]

FORM = "application/x-www-form-urlencoded"

VALUES: Sequence[str] = (
    "", " ", "\x00", "a\x00b", "-1", "-0", "0", "1", "2", "2147483648", "99999999999999999999", "9" * 4300,
    "9" * 10_000, "1e5", "1e999", "-1e999", "1.5", "NaN", "Infinity", "null", "true", "false", '"x"', "\"\\u0000\"",
    "\"\\ud800\"", "\\ud800", "[]", "{}", "[null]", "[[[]]]", '["\\u0000"]', "[99999999999]", "[-1]", "[1.5]",
    "[true]", "[" * 3000, "[" * 900 + '"\\u0000"' + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, '[{"name": 5}]',
    '{"\\u0000": "x"}', '{"a": "\\u0000"}', '[["topic", "\\u0000"]]', '[["search", "%"]]', '[["id", 99999999999]]',
    '[["sender", []]]', '[["dm", [99999999999]]]', '[["dm-including", [1, 2, "x"]]]', '[["with", 1], ["near", 1]]',
    '[["-is", "dm"]]', '[{"operator": "channel", "operand": 1, "negated": 1}]', "é" * 5000, "\udcff", "%00", "%ff",
    "%", "%zz", "<script>", "\u202e\u200f\u0301", "e" + "\u0315\u0300" * 3000, "İ" * 100, "\r\nX: y", "a\nb",
    "\x85\u2028", "../../etc/passwd", "//evil.example/", "javascript:alert(1)", "http://[", "http://[::1",
    "http://x:99999/", "http://\u2100/", "a@b", "@", "@**all**", "[a](http://[)", "[" * 500, "`" * 500,
    "|a|b|\n|-|-|\n|c|", "> " * 500, "\ud83d\ude00", "1" * 400, "٣", "²", "१", "general", "newest", "first_unread",
    "add", "starred", "[1]", "[1, 1, 1]", "[\"message\"]", "mobile", "x" * 70_000,
)  # fmt: skip

HEADERS: Sequence[tuple[bytes, tuple[bytes, ...]]] = (
    (
        b"accept",
        (b"text/html", b"*/*;q=9", b"text/html;q=0.", b";;;,,,", b"text/html;q=1e9,application/json;q=x", b"\xff"),
    ),
    (b"accept-language", (b"de", b"\xff", b"*;q=", b"x" * 5000)),
    (b"accept-encoding", (b"gzip;q=nan", b"\xff", b"*")),
    (b"if-none-match", (b"*", b'W/"x"', b'"' * 500)),
    (b"if-modified-since", (b"yesterday", b"Thu, 01 Jan 1970 00:00:00 GMT", b"Thu, 99 Foo 99999 99:99:99 GMT")),
    (
        b"range",
        (b"bytes=0-", b"bytes=-1", b"bytes=5-1", b"bytes=a-b", b"bytes=" + b"0-0," * 500, b"bytes=99999999999999-"),
    ),
    (b"if-range", (b'"x"', b"\xff")),
    (b"forwarded", (b"for=[::1", b"for=x;proto=https;host=evil.example")),
    (b"x-forwarded-for", (b"1.2.3.4, x", b"[::1", b"\xff", b"," * 500)),
    (b"x-forwarded-proto", (b"https", b"gopher")),
    (
        b"authorization",
        (b"", b"Basic", b"Basic Og==", b"Basic ====", b"Bearer x", b"Basic \xff", b"Basic " + b"A" * 9000),
    ),
    (
        b"cookie",
        (b"", b"sessionid", b"sessionid=\xff", b"=;=;;", b"csrftoken=" + b"x" * 5000, b"notice=renamed;notice=\xff"),
    ),
    (b"origin", (b"null", b"http://[", b"\xff", b"http://localhost:9991")),
    (b"referer", (b"http://[::1", b"x" * 5000, b"http://localhost:9991/", b"\xff")),
    (b"sec-fetch-site", (b"cross-site", b"none")),
    (b"x-csrftoken", (b"", b"\xff", b"x" * 5000)),
    (b"x-asked-for", (b"dialog", b"page", b"\xff")),
    (b"host", (b"", b"localhost:99999", b"\xff", b"[::1", b"evil.example", b"localhost.", b"127.0.0.1", b"x" * 9000)),
    (b"content-length", (b"-1", b"x", b"99999999999999999999999", b"0", b"\xb2")),
    (b"transfer-encoding", (b"chunked", b"x")),
    (b"user-agent", (b"", b"\xff", b"Mozilla/5.0 Version/" + b"1" * 5000, b"\x00", b"(" * 3000)),
)
TYPES = (
    FORM, FORM + "; charset=utf-16", "multipart/form-data", "multipart/form-data; boundary=", "application/json",
    "multipart/form-data; boundary=" + "b" * 300, 'multipart/form-data; boundary="', "text/plain", "", "\xff", ";;",
    "x/y; z", "multipart/form-data; boundary=b; charset=nonsense", "multipart/form-data; charset=utf-16; boundary=b",
)  # fmt: skip
PARTS = (
    '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n',
    '--b\r\nContent-Disposition: form-data; name="{}"; filename="{}"\r\nContent-Type: {}\r\n\r\nx\r\n',
    "--b\r\nContent-Disposition: form-data; name={}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
    "--b\r\nContent-Disposition: form-data; name*=utf-16''{}; filename*=x\r\n\r\n{}\r\n",
    '--b\nContent-Disposition: form-data; name="{}"\n\n{}\n',
    "--b\r\nContent-Disposition: attachment\r\n\r\n{}{}\r\n",
    "--b\r\n\r\n{}{}\r\n",
    "--b\r\nX" + "-" * 500 + ": {}\r\n\r\n{}\r\n",
    "--bb\r\n{}{}",
    "{}{}",
)
PATH_TRICKS = (
    "/{}", "//{}", "{}/", "{}//", "/.{}", "/..{}", "/%2e%2e{}", "{}%00", "{};x=y", "{}%2f", "{}?", "{}%3f", "{}%0a",
    "{}%ff", "/./{}", "/api/v1/..{}", "\\{}", "{}%20", "{}.json", "/x{}", "/api{}", "{}%c0%af", "{}%ed%a0%80",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "X" * 300)
WAITS = "/events"
"""The call that waits, if it may."""


@dataclass
class Odd:
    """A request that no well-behaved program sends."""

    method: str
    path: str
    query: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = field(repr=False, default=b"")

    def __str__(self) -> str:
        shown = [(name, value[:120]) for name, value in self.headers if name != b"authorization"]
        return f"{self.method} {self.path[:300]!a} ?{self.query[:300]!a} {shown} {self.body[:600]!r}"

    async def send(self, server: InProcessServer) -> Answer:
        """The server's answer. The path arrives decoded, as from Granian."""
        path = unquote(self.path, errors="replace")
        scope: dict[str, Any] = {"method": self.method, "path": path, "headers": self.headers}
        scope["query_string"] = self.query.encode("utf-8", "surrogatepass")
        return await ask_raw(server.app, scope, self.body)


class Fuzzer:
    """Makes odd requests from the possible questions, for the callers whose headers it is given."""

    def __init__(self, chance: random.Random, questions: Sequence[Question], callers: Mapping[str, Headers]) -> None:
        self.chance = chance
        self.questions = questions
        self.callers = callers

    def _caller(self, question: Question) -> Headers:
        """Usually a caller who is admitted: by key or in a browser, depending on the door, and with more rights rather
        than fewer.
        """
        chance, callers = self.chance, self.callers
        if chance.random() < 0.1:
            return chance.choice(list(callers.values()))
        return callers[
            f"{chance.choice(('owner', 'owner', 'member', 'guest'))} by {'key' if question.by_key else 'session'}"
        ]

    def request(self) -> Odd:
        """The next request."""
        chance, question = self.chance, self.chance.choice(self.questions)
        path = question.filled(
            chance.choice(("1", "2", "3", "4", "5", quote(chance.choice(VALUES)[:200], errors="ignore")))
        )
        if chance.random() < 0.1:
            path = chance.choice(PATH_TRICKS).format(path)
        method = question.method if chance.random() < 0.85 else chance.choice(METHODS)
        fields = self._fields(question)
        headers = [(name.encode(), value.encode()) for name, value in self._caller(question).items()]
        headers.append((b"host", b"localhost:9991"))
        odd = Odd(method, path, "", headers)
        self._place(odd, fields)
        if chance.random() < 0.25:
            for name, values in chance.choices(HEADERS, k=chance.randint(1, 3)):
                headers.insert(chance.randint(0, len(headers)), (name, chance.choice(values)))
        return odd

    def _fields(self, question: Question) -> list[tuple[str, str]]:
        chance = self.chance
        fields = list(question.good().items())
        names = [*question.names, "csrfmiddlewaretoken", "method", "client", "unknown", "", "é", "\x00"]
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
            name = chance.choice(question.names) if question.names and chance.random() < 0.85 else chance.choice(names)
            if chance.random() < 0.8:
                fields = [each for each in fields if each[0] != name]
            fields.insert(chance.randint(0, len(fields)), (name, self._value()))
        if WAITS in question.path and question.method == "GET":
            fields = [each for each in fields if each[0] != "dont_block"] + [("dont_block", "true")]
        return fields

    def _value(self) -> str:
        chance, value = self.chance, self.chance.choice(VALUES)
        if chance.random() < 0.2:
            return chance.choice(VALUES)[:500] + value
        if chance.random() < 0.15:
            return json.dumps(chance.choice(([value], {"name": value}, [["topic", value]], [[value, value]], value)))
        return value

    def _place(self, odd: Odd, fields: Sequence[tuple[str, str]]) -> None:
        chance = self.chance
        by_query = odd.method in ("GET", "HEAD", "get") or chance.random() < 0.1
        way = (
            "query"
            if by_query and chance.random() < 0.95
            else chance.choice(("form", "form", "form", "multipart", "raw"))
        )
        encoded = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in fields)
        kind = FORM
        if way == "query":
            odd.query = encoded[:30_000]
        elif way == "form":
            odd.body = encoded.encode()
        elif way == "raw":
            odd.body = "&".join(f"{name}={value}" for name, value in fields).encode("utf-8", "surrogatepass")
        else:
            kind = "multipart/form-data; boundary=b"
            usual = chance.random() < 0.6
            parts = [(PARTS[0] if usual else chance.choice(PARTS)).format(*each, "x/y") for each in fields]
            odd.body = ("".join(parts) + chance.choice(("--b--\r\n", "--b--\r\n", "--b", ""))).encode(
                "utf-8", "surrogatepass"
            )
        if way != "query":
            kind = chance.choice(TYPES) if chance.random() < 0.1 else kind
            odd.headers.append((b"content-type", kind.encode("latin-1")))


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def check(odd: Odd, answer: Answer) -> None:
    """Fail unless there is an answer of the kind that its door gives: JSON on the wire, never on a page."""
    assert answer.status < 500, answer.status
    assert not any(set(value) & set("\r\n\x00") for value in answer.headers.values()), answer.headers
    kind = answer.headers.get("content-type", "")
    path = "/" + unquote(odd.path, errors="replace").lstrip("/")
    is_empty = not answer.body and (answer.status != 200 or odd.method == "HEAD")
    if answer.status == 400 and "Bad Request (400)" in answer.text:
        return  # the Host header is not valid: Zulip's plain page, whatever the path
    if path.startswith(("/api/", "/json/")):
        if is_empty:
            return
        if not any(router.find(path) for router in WIRE):
            assert kind.startswith("text/html"), kind
            return  # there is nothing: Zulip's page
        assert kind == "application/json" or answer.status == 405, kind
        said = json.loads(answer.body)
        if answer.status != 200 or "openapi" not in said:
            assert said["result"] == ("success" if answer.status == 200 else "error"), said
            assert isinstance(said["msg"], str)
            assert answer.status in (200, 405) or said["code"], said
    else:
        assert kind != "application/json", kind
        assert is_empty or answer.status == 200 or path.startswith("/user_uploads/") or kind.startswith("text/html"), (
            kind
        )
