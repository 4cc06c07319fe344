"""The servers that are used for those on the pages."""

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
"""A server that requires a client certificate."""

DATABASE = "postgresql://keybearer@db.example.com/keybearer"
OWN = frozenset({"own server", "stopped server", "TLS servers"})
"""Requirements of a page that it cannot share with other pages."""


@dataclass(frozen=True)
class Servers:
    """The server at chat.example.com, and the one at inside.example.com if a page needs it."""

    main: RunningServer
    inside: RunningServer | None = None
    database_url: str = ""

    def stand_ins(self) -> dict[str, str]:
        """The text on a page, mapped to the text here. Longer texts are first."""
        if self.main.process.poll() is not None:
            return {DATABASE: self.database_url} if self.database_url else {}
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
def servers_for(needs: frozenset[str], directory: Path, home: Path, database_url: str = "") -> Iterator[Servers | None]:
    """The servers of a page that does not share them. Certificates are written to the home directory."""
    if needs & {"certificates", "TLS servers"}:
        _write_certificates(home)
    if "TLS servers" in needs:
        flags: list[str | Path] = ["--tls-cert", home / "chain.pem", "--tls-key", home / "key.pem"]
        with (
            with_ada(directory / "data", *flags) as main,
            with_ada(directory / "inside", *flags, "--tls-client-ca", home / "company-ca.pem") as inside,
        ):
            yield Servers(main, inside)
    elif needs & OWN:
        with with_ada(directory / "data") as server:
            if "stopped server" in needs:
                moved = run_keybearer("admin", "set-site", SITE, "--data-dir", server.data_dir)
                assert moved.returncode == 0, moved.stderr
                server.stop()
            yield Servers(server, database_url=database_url)
    else:
        yield None


def _write_certificates(home: Path) -> None:
    """Write the certificates of Ada and of the server at this machine's address, from the company's authority."""
    company = trustme.CA()
    company.cert_pem.write_to_path(home / "company-ca.pem")
    for name, certificate, key in (("127.0.0.1", "chain.pem", "key.pem"), (ADA, "ada.pem", "ada.key")):
        issued = company.issue_cert(name)
        issued.cert_chain_pems[0].write_to_path(home / certificate)
        issued.private_key_pem.write_to_path(home / key)
        (home / key).chmod(0o600)
