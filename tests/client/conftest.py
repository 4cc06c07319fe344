"""Fixtures for the client's tests: a real server, both clients, and an environment without settings."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybearer import AsyncClient, Client, Credentials, Secret
from tests.client.authority import Authority, Serve
from tests.client.callers import Opener, opener
from tests.client.key_server import KeyServer, write_zuliprc
from tests.client.scripted_server import EMAIL, KEY, ScriptedServer, serving

AMBIENT = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = tuple(
    name for base in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (base, base.upper())
)


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in (*AMBIENT, *PROXIES):
        monkeypatch.delenv(name, raising=False)
    for name in ("ZULIP_CONFIG", "ZULIP_PROFILE", "ZULIP_EMAIL", "ZULIP_API_KEY", "ZULIP_SITE", "ZULIP_CERT",
                 "ZULIP_CERT_KEY", "ZULIP_CERT_BUNDLE", "ZULIP_ALLOW_INSECURE"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving() as one:
        yield one


@pytest.fixture
def credentials(server: ScriptedServer) -> Credentials:
    return Credentials(EMAIL, Secret(KEY), server.site)


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def open_client(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Creates clients. Every test that uses it runs with both."""
    yield from opener(request.param)


@pytest.fixture
def zuliprc(server: ScriptedServer, tmp_path: Path) -> Path:
    server.otherwise = KeyServer()
    path = tmp_path / "bot" / "zuliprc"
    path.parent.mkdir()
    write_zuliprc(path, KEY, server.site)
    return path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[ScriptedServer] = []

    def start(context: ssl.SSLContext) -> ScriptedServer:
        running.append(ScriptedServer(context))
        return running[-1]

    yield start
    for server in running:
        server.close()
