"""The sample configuration of nginx does what the guide says. `make soak` runs it where nginx is installed."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import trustme

from keybearer.server.domain.messaging.uploads import MAX_SIZE
from tests.server_process import OWNER_EMAIL, RunningServer, run_keybearer, running_server

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
SAMPLE = Path(__file__).parents[2] / "docs/guide/nginx.conf"
LIMIT = 200

pytestmark = [pytest.mark.soak, pytest.mark.skipif(NGINX is None, reason="nginx is not installed")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Proxied:
    """A server behind nginx, and what trusts its certificate."""

    server: RunningServer
    port: int
    plain_port: int
    trust: ssl.SSLContext

    def client(self, address: str = "127.0.0.1") -> httpx2.Client:
        """A client that comes from that address."""
        transport = httpx2.HTTPTransport(verify=self.trust, local_address=address)
        return httpx2.Client(
            transport=transport,
            base_url=f"https://127.0.0.1:{self.port}",
            auth=(OWNER_EMAIL, self.server.api_key_of()),
            timeout=60,
        )


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    directory = tmp_path_factory.mktemp("nginx")
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(directory / "chat.key")
    issued.cert_chain_pems[0].write_to_path(directory / "chat.pem")
    port, plain_port = free_port(), free_port()
    site = f"https://127.0.0.1:{port}"
    with running_server(directory / "data", environ={"KEYBEARER_TRUSTED_PROXIES": "127.0.0.1/32"}) as server:
        assert run_keybearer("admin", "set-site", site, "--data-dir", server.data_dir).returncode == 0
        sample = SAMPLE.read_text()
        for old, new in {
            "127.0.0.1:9991": f"127.0.0.1:{server.port}",
            "listen 443": f"listen 127.0.0.1:{port}",
            "listen 80": f"listen 127.0.0.1:{plain_port}",
            "/etc/ssl/chat": str(directory / "chat"),
        }.items():
            assert old in sample
            sample = sample.replace(old, new)
        places = "".join(
            f"{name}_temp_path {directory / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""  # who may use the test's own directory
        (directory / "nginx.conf").write_text(
            f"{user} daemon off; pid {directory / 'pid'}; error_log stderr; events {{ worker_connections 2048; }}\n"
            f"http {{ access_log off; {places}\n{sample}\n}}\n"
        )
        assert NGINX is not None
        with (directory / "log").open("w") as log:
            nginx = subprocess.Popen([NGINX, "-p", directory, "-c", directory / "nginx.conf"], stderr=log)
        try:
            proxied = Proxied(server, port, plain_port, trust)
            until_answered(proxied)
            yield proxied
        finally:
            nginx.terminate()
            nginx.wait(20)


def until_answered(proxied: Proxied) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", proxied.port), timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


def test_a_call_comes_through_with_its_address(proxied: Proxied) -> None:
    with proxied.client("127.0.0.3") as client:
        assert client.get("/api/v1/users/me").json()["email"] == OWNER_EMAIL
        assert client.get("/api/v1/users/me", auth=(OWNER_EMAIL, "k" * 32)).status_code == 401
    assert "from 127.0.0.3" in proxied.server.log.read_text()


def test_the_largest_file_comes_through(proxied: Proxied) -> None:
    with proxied.client() as client:
        content = b"x" * MAX_SIZE
        url = client.post("/api/v1/user_uploads", files={"file": ("large.bin", content)}).json()["url"]
        assert client.get(url).content == content


def test_one_address_cannot_take_every_connection(proxied: Proxied) -> None:
    with ExitStack() as held:
        for _ in range(LIMIT):
            connection = socket.create_connection(("127.0.0.1", proxied.port), 20, ("127.0.0.4", 0))
            secured = held.enter_context(proxied.trust.wrap_socket(connection, server_hostname="127.0.0.1"))
            secured.sendall(b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc")
        with proxied.client("127.0.0.4") as client:
            assert client.get("/api/v1/users/me").status_code == 429
        with proxied.client("127.0.0.5") as client:
            assert client.get("/api/v1/users/me").status_code == 200


def test_plain_http_is_refused(proxied: Proxied) -> None:
    assert httpx2.get(f"http://127.0.0.1:{proxied.plain_port}/").status_code == 403
