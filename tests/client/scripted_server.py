"""A small real server with scripted responses. It records its requests."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "kbAAAAAAAAAAAAAAAAAAAAAAAA3zSVTW"
NEWER_KEY = "kbBBBBBBBBBBBBBBBBBBBBBBBB1nQ8eF"
EMAIL = "hamlet@example.com"

PROFILE: Mapping[str, Any] = {"user_id": 7, "email": EMAIL, "full_name": "Hamlet", "is_bot": False, "role": 400}


@dataclass(frozen=True)
class Seen:
    """A request as it was received."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """An answer. `hang_up` closes the connection without one, after the request was read."""

    status: int = 200
    json: Any = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False


Script = Reply | Callable[[Seen], Reply]


def success(**fields: Any) -> Reply:
    return Reply(json={"result": "success", "msg": "", **fields})


def error(status: int, msg: str, code: str = "BAD_REQUEST", **fields: Any) -> Reply:
    return Reply(status, json={"result": "error", "msg": msg, "code": code, **fields})


def refused(msg: str = "Invalid API key") -> Reply:
    return error(401, msg, "UNAUTHORIZED")


def html(status: int, text: str = "<html><body>Hello</body></html>") -> Reply:
    return Reply(status, body=text.encode(), headers={"Content-Type": "text/html"})


class ScriptedServer:
    """Listens on a free port of this machine. It answers with each entry of `script` once, then with `otherwise`."""

    def __init__(self, context: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.seen: list[Seen] = []
        self.script: list[Script] = []
        self.otherwise: Script = success(**PROFILE)
        self._server = _Server((host, port), self, context)
        self.port = self._server.server_address[1]
        self.site = f"{'https' if context else 'http'}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def answer(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        chosen = self.script.pop(0) if self.script else self.otherwise
        return chosen if isinstance(chosen, Reply) else chosen(seen)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.seen]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], scripted: ScriptedServer, context: ssl.SSLContext | None) -> None:
        self.scripted = scripted
        self.context = context
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return
        try:
            super().finish_request(request, client_address)
        finally:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20

    def _serve(self) -> None:
        assert isinstance(self.server, _Server)
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)
        reply = self.server.scripted.answer(seen)
        if reply.hang_up:
            self.close_connection = True
            return
        content = reply.body if reply.body is not None else (json.dumps(reply.json) + "\n").encode()
        if "Date" in reply.headers:
            self.send_response_only(reply.status)
        else:
            self.send_response(reply.status)
        if "Content-Type" not in reply.headers:
            self.send_header("Content-Type", "application/json")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[ScriptedServer]:
    server = ScriptedServer(context, host)
    try:
        yield server
    finally:
        server.close()
