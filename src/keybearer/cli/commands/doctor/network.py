"""Checks the connection to the server: its name, a connection, and the TLS handshake."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from keybearer.cli.commands.doctor.certificates import SOON, expiry, of_reason
from keybearer.cli.commands.doctor.findings import Finding, of_error
from keybearer.client.http.certificates import Certificate, certificate
from keybearer.client.http.handshake import explain, naming_issuer
from keybearer.wording import counted
from keybearer.zuliprc.credentials import TLSOptions

_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})


def check_connection(site: str, tls: TLSOptions, context: ssl.SSLContext | None, timeout: float) -> Iterator[Finding]:
    """Connect to the site, with a TLS handshake for https. No request is sent. Yields at most one fault."""
    parts = urlsplit(site)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a possible name"
        yield Finding(
            "name_unknown",
            f"The name {host} cannot be resolved: {reason}",
            site,
            "Check the spelling of the site, and whether this machine is on the network",
        )
        return
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            yield Finding("connected", f"{host} accepts connections on port {port} ({_address(connection)})", site)
            if parts.scheme == "https" and context is not None:
                yield from _shake_hands(connection, site, tls, context, timeout)
    except OSError as error:
        yield _no_connection(error, host, port, site, timeout)


def _shake_hands(
    connection: socket.socket, site: str, tls: TLSOptions, context: ssl.SSLContext, timeout: float
) -> Iterator[Finding]:
    host = urlsplit(site).hostname or ""
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            presented = secured.getpeercert(binary_form=True)
    except ssl.SSLError as error:
        told = explain(error, site=site, has_client_certificate=bool(tls.client_cert))
        told = naming_issuer(told, site, timeout=timeout)
        yield of_error(told, of_reason(told), site)
        return
    except TimeoutError:
        yield Finding(
            "no_answer", f"{host} accepts the connection, but does not start TLS in time", site, "Check the port"
        )
        return
    except OSError:  # the connection was reset during the handshake
        yield Finding(
            "tls_failed", f"{host} closed the connection during the handshake", site, "Check the port, and proxies"
        )
        return
    with contextlib.suppress(ValueError):
        yield _about_validity(certificate(presented or b""), site, trusted=not tls.insecure)


def _about_validity(found: Certificate, site: str, *, trusted: bool) -> Finding:
    """A finding about the dates of an accepted certificate. With `insecure`, an expired one is accepted too."""
    now = datetime.now(UTC)
    if found.ends < now:
        return Finding(
            "certificate_expired",
            f"The server's certificate expired on {found.ends:%Y-%m-%d}",
            site,
            "Its operator has to renew it",
        )
    if found.ends < now + SOON:
        return Finding(
            "certificate_expiring",
            f"The server's certificate expires on {expiry(found, now)}",
            site,
            "Its operator has to renew it before then",
        )
    checked = "is good" if trusted else "was not checked, and is valid"
    return Finding("certificate_valid", f"The server's certificate {checked} until {expiry(found, now)}", site)


def _no_connection(error: OSError, host: str, port: int, site: str, timeout: float) -> Finding:
    if isinstance(error, ConnectionRefusedError):
        return Finding(
            "connection_refused",
            f"{host} refuses connections on port {port}",
            site,
            "Check the port, and whether the server is running",
        )
    if isinstance(error, TimeoutError):
        return Finding(
            "connection_timeout",
            f"{host} did not accept a connection on port {port} within {counted(timeout, 'second')}",
            site,
            "Check the address and port, firewalls, and whether a proxy is needed",
        )
    reason = os.strerror(error.errno).lower() if error.errno else type(error).__name__
    where = "There is no route to" if error.errno in _NO_WAY else "No connection to"
    return Finding(
        "unreachable", f"{where} {host}: {reason}", site, "Check the network, and whether a proxy or VPN is needed"
    )


def _address(connection: socket.socket) -> str:
    return str(connection.getpeername()[0])
