"""Load for a server: keep-alive connections, each with one request under way, in a process of its own.

Requests are bytes made beforehand, and answers are read no further than need be: the server is what is measured.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Measured:
    """What a round came to. Times are in seconds, `latencies` sorted."""

    requests: int
    seconds: float
    latencies: Sequence[float]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    def latency(self, part: float) -> float:
        """The time within which that part of the requests was answered."""
        return self.latencies[min(int(part * len(self.latencies)), len(self.latencies) - 1)]


def measure(port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> Measured:
    """Send the requests round and round for that long. Raises RuntimeError for any answer but 200."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as generator:
        return generator.submit(_generate, port, requests, connections, seconds).result()


def _generate(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Measured:
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    pending: dict[int, bytes] = {}
    sent: dict[int, float] = {}
    number = 0
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
    begun = time.perf_counter()
    for descriptor, connection in sockets.items():
        connection.send(requests[number % len(requests)])
        sent[descriptor] = time.perf_counter()
        number += 1
    latencies: list[float] = []
    now = begun
    while now - begun < seconds:
        for descriptor, _ in poll.poll(1):
            connection = sockets[descriptor]
            answer = pending.pop(descriptor, b"") + connection.recv(65536)
            if not _is_whole(answer):
                pending[descriptor] = answer
                continue
            now = time.perf_counter()
            latencies.append(now - sent[descriptor])
            sent[descriptor] = now
            connection.send(requests[number % len(requests)])
            number += 1
    for connection in sockets.values():
        connection.close()
    return Measured(len(latencies), now - begun, sorted(latencies))


def _is_whole(answer: bytes) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        if not answer:
            raise RuntimeError("the server closed the connection")
        return False
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the server answered {answer[:end]!r}")
    found = _LENGTH.search(answer, 0, end + 2)
    return found is not None and len(answer) >= end + 4 + int(found.group(1))
