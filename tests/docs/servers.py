"""The servers that stand in for those of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.docs.browser import ADA, PASSWORD
from tests.server_process import RunningServer, run_keybearer, running_server

SITE = "https://chat.example.com"
INSIDE = "https://inside.example.com"
"""A server that asks for a client certificate."""

OWN = frozenset({"own server", "stopped server", "TLS servers"})
"""What a page may need and no other page can use."""


@dataclass(frozen=True)
class Servers:
    """The server at chat.example.com, and the one at inside.example.com where a page has it."""

    main: RunningServer
    inside: RunningServer | None = None

    def stand_ins(self) -> dict[str, str]:
        """What stands on a page → what it is here. The longer ones come first."""
        if self.main.process.poll() is not None:
            return {}
        replaced = {SITE: self.main.site, "@chat.example.com": "@keybearer.localhost"}
        if self.inside is not None:
            replaced[INSIDE] = self.inside.site
        return {**replaced, "chat.example.com": self.main.site.partition("://")[2]}


@contextmanager
def with_ada(directory: Path, *flags: str | Path) -> Iterator[RunningServer]:
    """A server with Ada as a member of its organization."""
    with running_server(directory, *flags) as server:
        added = ["--email", ADA, "--name", "Ada Lovelace", "--password-stdin"]
        done = run_keybearer("admin", "add-user", "--data-dir", server.data_dir, *added, stdin=PASSWORD)
        assert done.returncode == 0, done.stderr
        yield server


@contextmanager
def servers_for(needs: frozenset[str], directory: Path, home: Path) -> Iterator[Servers | None]:
    """The servers of a page that shares none. Certificates are put into the home."""
    if "TLS servers" in needs:
        certificate, authority = _write_certificates(directory, home)
        with (
            with_ada(directory / "data", *certificate) as main,
            with_ada(directory / "inside", *certificate, "--tls-client-ca", authority) as inside,
        ):
            yield Servers(main, inside)
    elif needs & OWN:
        with with_ada(directory / "data") as server:
            if "stopped server" in needs:
                moved = run_keybearer("admin", "set-site", SITE, "--data-dir", server.data_dir)
                assert moved.returncode == 0, moved.stderr
                server.stop()
            yield Servers(server)
    else:
        yield None


def _write_certificates(directory: Path, home: Path) -> tuple[list[str | Path], Path]:
    """Write the certificates of the company's authority; returns the flags of a server, and the authority's file."""
    company = trustme.CA()
    company.cert_pem.write_to_path(home / "company-ca.pem")
    servers = company.issue_cert("127.0.0.1")
    servers.private_key_pem.write_to_path(directory / "server.key")
    servers.cert_chain_pems[0].write_to_path(directory / "server.pem")
    own = company.issue_cert(ADA)
    own.private_key_pem.write_to_path(home / "ada.key")
    own.cert_chain_pems[0].write_to_path(home / "ada.pem")
    (home / "ada.key").chmod(0o600)
    return ["--tls-cert", directory / "server.pem", "--tls-key", directory / "server.key"], home / "company-ca.pem"
