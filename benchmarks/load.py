"""Load for a server: keep-alive connections, each with one running request, from a separate process.

Requests are prepared as bytes, and answers are read only as far as needed, since only the server is measured.
"""

from __future__ import annotations

import base64
import json
import re
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Self
from urllib.parse import urlencode

from benchmarks.processes import Server
from benchmarks.rounds import Measured

PATIENCE = 60
"""Seconds after which an answer counts as lost."""

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)

Follow = Callable[[bytes, bytes], bytes]
"""A function that builds the next request from a request and its answer."""


@dataclass(frozen=True)
class Credential:
    """The credentials of one account."""

    email: str
    key: str

    @property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        return "Basic " + base64.b64encode(f"{self.email}:{self.key}".encode()).decode()


def request(method: str, path: str, credential: Credential | None = None, **parameters: object) -> bytes:
    """One request of the API. Parameters that are not text are sent as JSON."""
    form = urlencode(
        {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
    )
    query, body = (f"?{form}", "") if method == "GET" and form else ("", form)
    lines = [f"{method} /api/v1/{path}{query} HTTP/1.1", "Host: 127.0.0.1", "User-Agent: keybearer-benchmark"]
    lines.append("Accept: application/json")
    if credential is not None:
        lines.append(f"Authorization: {credential.authorization}")
    if body:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", body]).encode()


class Load:
    """Requests for one server, sent repeatedly. Raises RuntimeError unless every answer has the status."""

    def __init__(
        self,
        server: Server,
        requests: Sequence[bytes],
        *,
        connections: int,
        status: int = 200,
        follow: Follow | None = None,
    ) -> None:
        self._server = server
        generator = _Generator(server.port, list(requests), connections, b"HTTP/1.1 %d" % status, follow)
        context = get_context("spawn")
        self._process = ProcessPoolExecutor(1, mp_context=context, initializer=_keep, initargs=(generator,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.shutdown()

    def round(self, seconds: float, most: int = sys.maxsize) -> Measured:
        """Send for this many seconds and at most `most` requests. Returns when all are answered."""
        before = self._server.cpu()
        measured = self.begun(seconds, most).result()
        return Measured(measured.seconds, measured.latencies, self._server.cpu() - before)

    def begun(self, seconds: float, most: int = sys.maxsize) -> Future[Measured]:
        """The same in the background, without the processor time."""
        return self._process.submit(_run, seconds, most)


class _Generator:
    """The sending side, in its own process. It continues with the next request in every round."""

    kept: _Generator

    def __init__(
        self, port: int, requests: list[bytes], connections: int, status: bytes, follow: Follow | None
    ) -> None:
        self._port, self._requests, self._connections = port, requests, connections
        self._status, self._follow = status, follow
        self._next = 0

    def run(self, seconds: float, most: int) -> Measured:
        sockets = [socket.create_connection(("127.0.0.1", self._port)) for _ in range(min(self._connections, most))]
        poll, by_descriptor = select.epoll(), {each.fileno(): each for each in sockets}
        asked: dict[int, tuple[int, float]] = {}
        pending: dict[int, bytes] = {}
        latencies: list[float] = []

        def send(descriptor: int) -> None:
            index = self._next % len(self._requests)
            self._next += 1
            asked[descriptor] = index, time.perf_counter()
            by_descriptor[descriptor].sendall(self._requests[index])

        first = self._next
        begun = now = time.perf_counter()
        for descriptor, connection in by_descriptor.items():
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            poll.register(connection, select.EPOLLIN)
            send(descriptor)
        while asked:
            ready = poll.poll(PATIENCE)
            if not ready:
                raise RuntimeError(f"no answer within {PATIENCE} seconds")
            for descriptor, _ in ready:
                answer = pending.pop(descriptor, b"") + by_descriptor[descriptor].recv(262_144)
                if not is_whole(answer, self._status):
                    pending[descriptor] = answer
                    continue
                now = time.perf_counter()
                index, sent = asked.pop(descriptor)
                latencies.append(now - sent)
                if self._follow is not None:
                    self._requests[index] = self._follow(self._requests[index], answer)
                if now - begun < seconds and self._next - first < most:
                    send(descriptor)
        for connection in sockets:
            connection.close()
        return Measured(now - begun, sorted(latencies))


def _keep(generator: _Generator) -> None:
    _Generator.kept = generator


def _run(seconds: float, most: int) -> Measured:
    return _Generator.kept.run(seconds, most)


def is_whole(answer: bytes, status: bytes = b"HTTP/1.1 200") -> bool:
    """Whether an answer is complete. Raises RuntimeError for another status and for the end of the connection."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        if not answer:
            raise RuntimeError("the server closed the connection")
        return False
    if not answer.startswith(status):
        raise RuntimeError(f"the server answered {answer[:600]!r}")
    found = _LENGTH.search(answer, 0, end + 2)
    return found is not None and len(answer) >= end + 4 + int(found.group(1))


def content(answer: bytes) -> dict[str, Any]:
    """The JSON of an answer."""
    parsed: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return parsed


class Connection:
    """A connection for one request at a time, for callers that need the answers."""

    def __init__(self, server: Server, credential: Credential) -> None:
        self.credential = credential
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, asked: bytes) -> None:
        """Send a request without reading its answer."""
        self._socket.sendall(asked)

    def ask(self, asked: bytes) -> bytes:
        """Send a request; returns its answer."""
        self.send(asked)
        return self.answer()

    def is_answered(self) -> bool:
        """Whether an answer has started to arrive."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def answer(self, status: bytes = b"HTTP/1.1 200") -> bytes:
        """The answer to the request that was sent. Raises RuntimeError if it does not start with `status`."""
        answer = self._socket.recv(262_144)
        while not is_whole(answer, status):
            answer += self._socket.recv(262_144)
        return answer

    def call(self, method: str, path: str, **parameters: object) -> dict[str, Any]:
        """Make one call. Returns the JSON of its answer."""
        return content(self.ask(request(method, path, self.credential, **parameters)))

    def close(self) -> None:
        """Close the connection, even during a request."""
        self._socket.close()
