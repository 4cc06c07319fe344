"""Direct requests to the application, with bodies that arrive complete, in pieces, late or never."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2
from starlette.types import Message, Receive, Scope, Send

from tests.in_process import ADDRESS, SITE, InProcessServer, Known

Headers = Mapping[str, str]
ASGI = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
FORM_TYPE = "application/x-www-form-urlencoded"
_HOST = SITE.partition("://")[2]


def by_key(auth: tuple[str, str]) -> dict[str, str]:
    """The headers of a caller with a key."""
    return {"authorization": "Basic " + base64.b64encode(":".join(auth).encode()).decode()}


def by_session(client: httpx2.AsyncClient) -> dict[str, str]:
    """The headers of a browser with this client's session, with the token for its changes."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)
    return {"cookie": cookies, "x-csrftoken": client.headers["x-csrftoken"]}


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def message(self) -> str:
        """The message of the response: its `msg`, or the text itself if it is not JSON."""
        is_json = self.headers.get("content-type") == "application/json"
        return str(json.loads(self.body).get("msg")) if is_json else self.text


@dataclass
class Sending:
    """A running request. The test sends each piece of the body."""

    app: ASGI
    method: str
    path: str
    headers: Headers = field(default_factory=dict)
    sent: list[Message] = field(default_factory=list)
    was_asked: bool = False
    """Whether the application has asked for any of the body."""

    def __post_init__(self) -> None:
        self._pieces: asyncio.Queue[Message] = asyncio.Queue()
        self._is_waiting = asyncio.Event()
        path, _, query = self.path.partition("?")
        headers = {"host": _HOST, **self.headers}
        self._scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": (ADDRESS, 40000),
        }
        self._task = asyncio.create_task(self.app(self._scope, self._receive, self._send))

    async def hand_over(self, piece: bytes) -> None:
        """Send a part of the body. Returns when the application waits for more, or has answered."""
        self._is_waiting.clear()
        self._pieces.put_nowait({"type": "http.request", "body": piece, "more_body": True})
        waiting = asyncio.create_task(self._is_waiting.wait())
        await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    async def finish(self, piece: bytes = b"") -> Answer:
        """Send the last part of the body. Returns the response."""
        self._pieces.put_nowait({"type": "http.request", "body": piece, "more_body": False})
        await self._task
        return self.answer()

    async def disconnect(self) -> None:
        """Close the connection, and wait until the application has ended the request."""
        self._pieces.put_nowait({"type": "http.disconnect"})
        await self._task

    async def ended(self) -> Answer:
        """The response to a request that the application ends on its own."""
        await self._task
        return self.answer()

    def answer(self) -> Answer:
        """The response so far."""
        start = self.sent[0]
        headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(message.get("body", b"") for message in self.sent[1:]))

    async def _receive(self) -> Message:
        self.was_asked = True
        if self._pieces.empty():
            self._is_waiting.set()
        return await self._pieces.get()

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


async def ask(app: ASGI, method: str, path: str, headers: Headers | None = None, body: bytes = b"") -> Answer:
    """The response to a complete request."""
    return await Sending(app, method, path, headers or {}).finish(body)


async def ask_raw(app: ASGI, scope: Mapping[str, Any], body: bytes = b"") -> Answer:
    """The response to a request with these fields of its scope, as bytes. Its body arrives in two pieces."""
    sent: list[Message] = []
    pieces = [body[:7], body[7:]]

    async def receive() -> Message:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        sent.append(message)

    full = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": (ADDRESS, 1),
        "server": ("localhost", 9991),
        **scope,
    }
    await asyncio.wait_for(app(full, receive, send), 60)
    headers = {str(name, "latin-1").lower(): str(value, "latin-1") for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


def form(fields: Mapping[str, str]) -> bytes:
    """The body of a plain form."""
    return urlencode(fields).encode()


async def call(server: InProcessServer, who: Known, method: str, path: str, **fields: object) -> Answer:
    """The answer to a call of the wire with somebody's key. Fields other than texts are sent as JSON."""
    texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in fields.items()}
    headers = {**by_key(who.auth), "content-type": FORM_TYPE}
    if method == "GET":
        return await ask(server.app, method, f"/api/v1/{path}?{urlencode(texts)}", headers)
    return await ask(server.app, method, f"/api/v1/{path}", headers, form(texts))
