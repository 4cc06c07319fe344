"""Requests per second of `GET /api/v1/users/me` by key, beside a bare ASGI application under the same Granian."""

from __future__ import annotations

import asyncio
import base64
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.server_process import started_server

from benchmarks.load import Measured, measure
from benchmarks.population import Credential, populate
from keybearer.server.settings import Settings

ACCOUNTS = 10_000
CONNECTIONS = 32
ROUNDS = 15
SECONDS = 1.0
NO_LIMIT = {"KEYBEARER_API_LIMIT": "1000000000/minute"}


def main() -> None:
    """Measure both in turns, and print the medians and their ratio."""
    print(f"GET /api/v1/users/me by key: {ACCOUNTS} accounts, {CONNECTIONS} connections, one worker")
    with tempfile.TemporaryDirectory(prefix="keybearer-benchmark-") as directory:
        data_dir = Path(directory, "data")
        credentials = asyncio.run(populate(Settings(data_dir=data_dir), ACCOUNTS, site="http://127.0.0.1"))
        random.Random(1).shuffle(credentials)
        with started_server(data_dir, environ=NO_LIMIT) as server, bare_server() as bare_port:
            ours, bare = [], []
            for number in range(ROUNDS):
                ours.append(_round(server.port, [_request(each) for each in credentials]))
                bare.append(_round(bare_port, [_request(each) for each in credentials]))
                print(f"  round {number + 1}: keybearer {_told(ours[-1])}   bare {_told(bare[-1])}")
    our_rate = statistics.median(each.rate for each in ours)
    bare_rate = statistics.median(each.rate for each in bare)
    print(f"  median: keybearer {our_rate:.0f}/s, bare {bare_rate:.0f}/s, ratio {our_rate / bare_rate:.2f}")


def _round(port: int, requests: list[bytes]) -> Measured:
    return measure(port, requests, connections=CONNECTIONS, seconds=SECONDS)


def _told(measured: Measured) -> str:
    median, slow = measured.latency(0.5) * 1000, measured.latency(0.99) * 1000
    return f"{measured.rate:6.0f}/s (median {median:.2f} ms, 99 % within {slow:.2f} ms)"


def _request(credential: Credential) -> bytes:
    token = base64.b64encode(f"{credential.email}:{credential.key}".encode()).decode()
    return (
        "GET /api/v1/users/me HTTP/1.1\r\n"
        "Host: 127.0.0.1\r\n"
        "User-Agent: keybearer-benchmark\r\n"
        "Accept: application/json\r\n"
        f"Authorization: Basic {token}\r\n\r\n"
    ).encode()


@contextmanager
def bare_server() -> Iterator[int]:
    """The bare application, running; yields its port."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.bare"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        while not _is_listening(port):
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
