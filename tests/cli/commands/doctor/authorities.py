"""Certificates for tests, and servers that use them."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.cli.commands.doctor.patients import KEY, Patient, zulip
from tests.client.scripted_server import EMAIL, ScriptedServer, serving

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Authority:
    """An authority, and its certificates as files in a directory."""

    directory: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    def write(self, name: str, content: bytes, mode: int = 0o600) -> str:
        path = self.directory / name
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    @property
    def bundle(self) -> str:
        return self.write("ca.pem", self.ca.cert_pem.bytes())

    def client_certificate(self, days: int = 365, mode: int = 0o600) -> str:
        """A file with a client certificate that is valid for this many days from now, and its key."""
        issued = self.ca.issue_cert("bot@example.com", not_before=NOW - 400 * DAY, not_after=NOW + days * DAY)
        return self.write("client.pem", issued.private_key_and_cert_chain_pem.bytes(), mode)

    @contextmanager
    def serving(
        self, name: str = "127.0.0.1", *, begins: int = -400, ends: int = 365, client_ca: trustme.CA | None = None
    ) -> Iterator[ScriptedServer]:
        """A Zulip server with a certificate for this name, valid between these days from now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name, not_before=NOW + begins * DAY, not_after=NOW + ends * DAY).configure_cert(context)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            client_ca.configure_trust(context)
        with serving(context) as server:
            server.otherwise = zulip()
            yield server


def point_to(patient: Patient, site: str, **settings: str) -> None:
    """Write a zuliprc for this site, with these additional settings."""
    more = "".join(f"{name}={value}\n" for name, value in settings.items())
    patient.write(f"[api]\nemail={EMAIL}\nkey={KEY}\nsite={site}\n{more}")
