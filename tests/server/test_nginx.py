"""The sample configuration of nginx does what the documentation says. It runs if nginx is installed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import trustme

from keybearer.server.domain.messaging.uploads import MAX_SIZE
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer, run_keybearer, running_server

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
SAMPLE = Path(__file__).parents[2] / "docs/how-to/nginx.conf"
LIMIT = 200

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Proxied:
    """A server behind nginx, and the context that trusts its certificate."""

    server: RunningServer
    port: int
    plain_port: int
    authority: trustme.CA

    def trust(self, *, with_certificate: bool = False) -> ssl.SSLContext:
        """A context that trusts it, optionally with a client certificate."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if with_certificate:
            self.authority.issue_cert("hamlet@example.com").configure_cert(context)
        return context

    def client(self, address: str = "127.0.0.1", *, with_certificate: bool = False) -> httpx2.Client:
        """A client that connects from that address."""
        trust = self.trust(with_certificate=with_certificate)
        return httpx2.Client(
            transport=httpx2.HTTPTransport(verify=trust, local_address=address),
            base_url=f"https://127.0.0.1:{self.port}",
            auth=(OWNER_EMAIL, self.server.api_key_of()),
            timeout=60,
        )


@contextmanager
def behind_nginx(directory: Path, server: RunningServer, changes: Mapping[str, str]) -> Iterator[Proxied]:
    """The server behind nginx, which runs the sample with these changes, besides those of addresses and files."""
    directory.mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(directory / "chat.key")
    issued.cert_chain_pems[0].write_to_path(directory / "chat.pem")
    authority.cert_pem.write_to_path(directory / "clients.pem")
    port, plain_port = free_port(), free_port()
    done = run_keybearer("admin", "set-site", f"https://127.0.0.1:{port}", "--data-dir", server.data_dir)
    assert done.returncode == 0
    sample = SAMPLE.read_text()
    for old, new in {
        "127.0.0.1:9991": f"127.0.0.1:{server.port}",
        "listen 443": f"listen 127.0.0.1:{port}",
        "listen 80": f"listen 127.0.0.1:{plain_port}",
        "/etc/ssl/": f"{directory}/",
        **changes,
    }.items():
        assert old in sample
        sample = sample.replace(old, new)
    places = "".join(
        f"{name}_temp_path {directory / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # a user that may use the test's directory
    (directory / "nginx.conf").write_text(
        f"{user} daemon off; pid {directory / 'pid'}; error_log stderr; events {{ worker_connections 2048; }}\n"
        f"http {{ access_log off; {places}\n{sample}\n}}\n"
    )
    assert NGINX is not None
    with (directory / "log").open("w") as log:
        nginx = subprocess.Popen([NGINX, "-p", directory, "-c", directory / "nginx.conf"], stderr=log)
    try:
        until_answered(port)
        yield Proxied(server, port, plain_port, authority)
    finally:
        nginx.terminate()
        nginx.wait(20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    directory = tmp_path_factory.mktemp("nginx")
    with running_server(directory / "data", environ={"KEYBEARER_TRUSTED_PROXIES": "127.0.0.1/32"}) as server:
        yield server


@pytest.fixture
def proxied(tmp_path: Path, server: RunningServer) -> Iterator[Proxied]:
    with behind_nginx(tmp_path / "nginx", server, {}) as proxied:
        yield proxied


def until_answered(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


def test_a_call_passes_nginx_with_its_address(proxied: Proxied) -> None:
    with proxied.client("127.0.0.3") as client:
        assert client.get("/api/v1/users/me").json()["email"] == OWNER_EMAIL
        assert client.get("/api/v1/users/me", auth=(OWNER_EMAIL, "k" * 32)).status_code == 401
    assert "from 127.0.0.3" in proxied.server.log.read_text()


@pytest.mark.soak
def test_the_largest_file_passes_nginx(proxied: Proxied) -> None:
    with proxied.client() as client:
        content = b"x" * MAX_SIZE
        url = client.post("/api/v1/user_uploads", files={"file": ("large.bin", content)}).json()["url"]
        assert client.get(url).content == content


@pytest.mark.soak
def test_one_address_cannot_take_every_connection(proxied: Proxied) -> None:
    trust = proxied.trust()
    with ExitStack() as held:
        for _ in range(LIMIT):
            connection = socket.create_connection(("127.0.0.1", proxied.port), 20, ("127.0.0.4", 0))
            secured = held.enter_context(trust.wrap_socket(connection, server_hostname="127.0.0.1"))
            secured.sendall(b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc")
        with proxied.client("127.0.0.4") as client:
            assert client.get("/api/v1/users/me").status_code == 429
        with proxied.client("127.0.0.5") as client:
            assert client.get("/api/v1/users/me").status_code == 200


def test_plain_http_is_refused(proxied: Proxied) -> None:
    assert httpx2.get(f"http://127.0.0.1:{proxied.plain_port}/").status_code == 403


def test_clients_with_a_certificate_are_accepted_if_nginx_requires_one(tmp_path: Path, server: RunningServer) -> None:
    used = {"#ssl_client_certificate": "ssl_client_certificate", "#ssl_verify_client": "ssl_verify_client"}
    with behind_nginx(tmp_path / "nginx", server, used) as proxied:
        with proxied.client("127.0.0.6", with_certificate=True) as client:
            assert client.get("/api/v1/users/me").json()["email"] == OWNER_EMAIL
        with proxied.client("127.0.0.6") as client:
            assert client.get("/api/v1/users/me").status_code == 400
        with proxied.client(with_certificate=True) as client:
            assert client.get("/api/v1/users/me", auth=None).status_code == 401


@pytest.mark.soak
def test_people_can_sign_in_through_nginx(proxied: Proxied) -> None:
    """Forms and cookies need the scheme and the host that nginx passes on."""
    site = f"https://127.0.0.1:{proxied.port}"
    with httpx2.Client(base_url=site, verify=proxied.trust(), headers={"Referer": f"{site}/login/"}) as browser:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get("/login/").text)
        assert token is not None
        fields = {"csrfmiddlewaretoken": token[1], "username": OWNER_EMAIL, "password": OWNER_PASSWORD}
        assert browser.post("/login/", data=fields).status_code == 302
        assert any(name.startswith("__Host-") for name in browser.cookies)
