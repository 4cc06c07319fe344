"""Connections: how many a worker holds, and that idle ones do not harm the others."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx2
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.domain.limits import MOST_CONNECTIONS
from keybearer.server.process import TAKEN_WITHIN
from keybearer.server.workers import SPARE_DESCRIPTORS, connections_within, raise_descriptor_limit
from tests.server.test_process import SETTINGS
from tests.server_process import KEYBEARER, RunningServer, clean_environ, running_server

MANY = 1200
"""More than Granian holds by default, which it divides among the workers."""

FORM = b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
WAITING = {
    "silent": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: 127",
    "a held body": FORM + b"Content-Length: 100\r\n\r\nabc",
    "a held body in chunks": FORM + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "between requests": b"GET /robots.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    raise_descriptor_limit()
    with running_server(tmp_path_factory.mktemp("connections") / "data", "--workers", "2") as server:
        yield server


@pytest.mark.parametrize("first", WAITING.values(), ids=WAITING)
def test_idle_connections_do_not_harm_others(server: RunningServer, first: bytes) -> None:
    with ExitStack() as held:
        for _ in range(MANY):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            connection.sendall(first)
        for _ in range(8):
            assert httpx2.get(server.site + SETTINGS, timeout=20).status_code == 200


def test_a_connection_in_another_protocol_is_closed(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        assert connection.recv(100) == b""


@pytest.mark.soak
def test_every_idle_connection_is_closed(server: RunningServer) -> None:
    with ExitStack() as held:
        connections = [
            held.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60)) for _ in WAITING
        ]
        for connection, first in zip(connections, WAITING.values(), strict=True):
            connection.sendall(first)
        for connection in connections:
            while connection.recv(4096):
                pass


@pytest.mark.soak
def test_a_client_that_does_not_read_its_answers_is_disconnected(server: RunningServer) -> None:
    asked = 2000
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"GET /help/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * asked)
        time.sleep(TAKEN_WITHIN / 1000 * 1.5)
        received = bytearray()
        with suppress(ConnectionResetError):
            while piece := connection.recv(1024 * 1024):
                received += piece
    assert received.count(b"HTTP/1.1 200 OK\r\n") < asked


def test_clients_that_never_begin_tls_do_not_harm_others(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    flags = ("--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem")
    with running_server(tmp_path / "data", *flags) as server, ExitStack() as held:
        for _ in range(MANY):
            held.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
        assert httpx2.get(server.site + SETTINGS, verify=context, timeout=20).status_code == 200


@given(st.integers(1, 2_000_000))
def test_a_worker_reserves_descriptors_for_its_own_files(descriptors: int) -> None:
    connections = connections_within(descriptors)
    assert 1 <= connections <= MOST_CONNECTIONS
    assert descriptors < 2 or descriptors - connections >= min(SPARE_DESCRIPTORS, descriptors // 2)


def test_a_start_says_how_many_connections_fit_and_warns_if_they_are_few(tmp_path: Path) -> None:
    command = f"ulimit -n 700; exec {KEYBEARER} serve --data-dir {tmp_path / 'data'} --port 0"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            ["sh", "-c", command], stdout=subprocess.PIPE, stderr=log, text=True, env=clean_environ()
        )
    assert process.stdout is not None
    with process.stdout:
        said = next(line for line in process.stdout if "connections" in line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert said == f"Each worker holds up to {connections_within(700)} connections at once.\n"
    assert re.search("only 350 connections: raise it", (tmp_path / "log").read_text())
