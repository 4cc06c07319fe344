"""Checks the certificate files on this machine: whether they exist, whether they can be used, and when they expire."""

from __future__ import annotations

import os
import ssl
import stat
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from keybearer.cli.commands.doctor.findings import Finding, of_error
from keybearer.client.http.certificates import Certificate, certificates
from keybearer.client.http.tls import build_context
from keybearer.errors import TLSFailed
from keybearer.store.resolution import missing_tls_files
from keybearer.zuliprc.credentials import TLSOptions
from keybearer.zuliprc.fields import CLIENT_BUNDLE, CLIENT_CERT, CLIENT_CERT_KEY
from keybearer.zuliprc.sources import Origin

SOON = timedelta(days=30)
"""How long before its end a certificate is worth a warning."""


def prepare(tls: TLSOptions, origins: Mapping[str, Origin], site: str) -> tuple[ssl.SSLContext | None, list[Finding]]:
    """The context for connections (None if its files cannot be used), and the findings about these files.

    May ask on the terminal for the passphrase of the client certificate's key.
    """
    missing = [of_error(error) for error in missing_tls_files(tls, origins)]
    if missing:
        return None, missing
    context: ssl.SSLContext | None = None
    findings = [*_about_bundle(tls, origins), *_about_client_certificate(tls, origins)]
    try:
        context = build_context(tls, site=site)
    except TLSFailed as error:
        findings.append(_unusable(error, origins))
        if error.reason == "bad_bundle" and tls.client_cert:
            findings += _client_certificate_alone(tls, origins)
    return context, findings


def of_reason(error: TLSFailed) -> str:
    """The kind of finding for a failure of TLS."""
    return _KINDS.get(error.reason, error.reason)


_KINDS = {
    "expired": "certificate_expired",
    "not_yet_valid": "certificate_not_yet_valid",
    "not_acceptable": "tls_failed",
    "other": "tls_failed",
}


def expiry(validity: Certificate, now: datetime) -> str:
    """When a certificate ends, in words."""
    days = (validity.ends - now).days
    when = f"{validity.ends:%Y-%m-%d %H:%M} UTC"
    return f"{when}, in {days} days" if days > 1 else when


def _about_bundle(tls: TLSOptions, origins: Mapping[str, Origin]) -> Iterator[Finding]:
    if tls.cert_bundle is None or tls.insecure or not Path(tls.cert_bundle).is_file():
        return
    ends = [validity.ends for validity in _read(tls.cert_bundle)]
    if ends and max(ends) < datetime.now(UTC):
        yield Finding(
            "bundle_expired",
            f"All certificates in {tls.cert_bundle} have expired, the last on {max(ends):%Y-%m-%d}",
            str(origins[CLIENT_BUNDLE.name]),
            "Get a new one from the server's operator",
        )


def _about_client_certificate(tls: TLSOptions, origins: Mapping[str, Origin]) -> Iterator[Finding]:
    if tls.client_cert is None:
        return
    now, place = datetime.now(UTC), str(origins[CLIENT_CERT.name])
    own = next(_read(tls.client_cert), None)
    if own is not None and own.ends < now:
        yield Finding(
            "client_certificate_expired",
            f"The client certificate in {tls.client_cert} expired on {own.ends:%Y-%m-%d}",
            place,
            "Ask its issuer for a new one",
        )
    elif own is not None and own.ends < now + SOON:
        yield Finding(
            "client_certificate_expiring",
            f"The client certificate in {tls.client_cert} expires on {expiry(own, now)}",
            place,
            "Ask its issuer for a new one before then",
        )
    key = tls.client_cert_key or tls.client_cert
    if sys.platform != "win32" and _mode(key) & 0o044 and b"PRIVATE KEY-----" in Path(key).read_bytes():
        yield Finding(
            "client_key_readable",
            f"Other accounts of this machine can read the key of the client certificate in {key}",
            str(origins[CLIENT_CERT_KEY.name if tls.client_cert_key else CLIENT_CERT.name]),
            f"Run: chmod 600 {key}",
        )


def _client_certificate_alone(tls: TLSOptions, origins: Mapping[str, Origin]) -> Iterator[Finding]:
    """Its faults, if those of the bundle were reported first."""
    try:
        build_context(TLSOptions(tls.client_cert, tls.client_cert_key))
    except TLSFailed as error:
        yield _unusable(error, origins)


def _unusable(error: TLSFailed, origins: Mapping[str, Origin]) -> Finding:
    name = CLIENT_BUNDLE.name if error.reason == "bad_bundle" else CLIENT_CERT.name
    return of_error(error, of_reason(error), str(origins[name]))


def _read(path: str) -> Iterator[Certificate]:
    try:
        yield from certificates(Path(path).read_bytes())
    except OSError:
        return  # reported when the context is built


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode) if os.access(path, os.R_OK) else 0  # noqa: PTH116 - a text, as it was given
