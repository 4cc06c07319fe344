"""A certificate authority for tests of TLS."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from keybearer import Credentials, Secret, TLSOptions
from keybearer.errors import TLSFailed
from tests.client.callers import Opener
from tests.client.scripted_server import EMAIL, KEY, ScriptedServer

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)


class Authority:
    """A certificate authority for a test, and its certificates as files."""

    def __init__(self, directory: Path) -> None:
        self.ca = trustme.CA()
        self.directory = directory
        self.bundle = self.write("ca.pem", self.ca.cert_pem.bytes())

    def write(self, name: str, content: bytes) -> str:
        path = self.directory / name
        path.write_bytes(content)
        return str(path)

    def server_context(
        self, certificate: trustme.LeafCert | None = None, *, client_ca: trustme.CA | None = None
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (certificate or self.ca.issue_cert("127.0.0.1", "localhost")).configure_cert(context)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            client_ca.configure_trust(context)
        return context


Serve = Callable[[ssl.SSLContext], ScriptedServer]


def credentials(site: str, **tls: str | bool) -> Credentials:
    return Credentials(EMAIL, Secret(KEY), site, tls=TLSOptions(**tls))  # type: ignore[arg-type]  # by name


def reason_of(open_client: Opener, site: str, **tls: str | bool) -> str:
    with pytest.raises(TLSFailed) as caught:
        open_client(credentials(site, **tls)).get_profile()
    assert caught.value.hint or caught.value.reason == "other"
    return caught.value.reason
