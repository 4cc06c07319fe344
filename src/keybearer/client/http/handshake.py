"""Explains a failed TLS handshake as a TLSFailed error, and can repeat the handshake to find the reason."""

from __future__ import annotations

import contextlib
import socket
import ssl
from urllib.parse import urlsplit

from keybearer.client.http.certificates import Certificate, certificate
from keybearer.client.http.encoding import host_in_ascii
from keybearer.errors import TLSFailed

_DER = 2
"""`_ssl.ENCODING_DER`."""

_EXPIRED, _NOT_YET_VALID = 10, 9
_NAME_MISMATCH = frozenset({62, 63, 64})
_UNKNOWN_ISSUER = frozenset({2, 7, 18, 19, 20, 21, 27, 28})
"""OpenSSL's X509_V_ERR_* numbers."""

_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "PACKET_LENGTH_TOO_LONG",
                      "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "BAD_PACKET_LENGTH"})  # fmt: skip
_CERTIFICATE_DEMANDED = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_NO_CERTIFICATE"})
_CERTIFICATE_ALERTS = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_DECRYPT_ERROR",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)
"""Alerts about a client certificate. Before TLS 1.3, HANDSHAKE_FAILURE also means that one is required."""


def explain(error: ssl.SSLError, *, site: str, has_client_certificate: bool) -> TLSFailed:
    """The typed error for an error of OpenSSL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _about_the_server(error, site)
    reason = error.reason or ""
    if reason in _NOT_TLS:
        return TLSFailed(
            f"{site} does not speak TLS",
            reason="not_tls",
            hint="Check the port; if it is for plain http, write http://",
        )
    if reason in _CERTIFICATE_DEMANDED or (reason in _CERTIFICATE_ALERTS and not has_client_certificate):
        return TLSFailed(
            f"{site} requires a client certificate",
            reason="client_certificate_required",
            hint="Set client_cert (and client_cert_key) to the certificate that its operator gave you",
        )
    if reason in _CERTIFICATE_ALERTS:
        said = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return TLSFailed(
            f"{site} does not accept the client certificate ({said})",
            reason="bad_client_certificate",
            hint="Check that client_cert is the one that its operator gave you, and that it has not expired",
        )
    detail = reason.replace("_", " ").lower() or "the connection was closed"
    return TLSFailed(f"The TLS handshake with {site} failed: {detail}", reason="other")


def _about_the_server(error: ssl.SSLCertVerificationError, site: str) -> TLSFailed:
    code, said = error.verify_code, error.verify_message.rstrip(".")
    if code == _EXPIRED:
        return TLSFailed(
            f"The certificate of {site} has expired", reason="expired", hint="Its operator has to renew it"
        )
    if code == _NOT_YET_VALID:
        return TLSFailed(
            f"The certificate of {site} is not valid yet", reason="not_yet_valid", hint="Check this machine's clock"
        )
    if code in _NAME_MISMATCH:
        return TLSFailed(
            f"The certificate of {site} is for another name: {said}",
            reason="name_mismatch",
            hint="Write the site with a name that is in the certificate",
        )
    if code in _UNKNOWN_ISSUER:
        return TLSFailed(
            f"The certificate of {site} is from an issuer that is not trusted here ({said})",
            reason="unknown_issuer",
            hint="Set cert_bundle to the issuer's certificate or the server's own",
        )
    return TLSFailed(
        f"The certificate of {site} is not acceptable: {said}",
        reason="not_acceptable",
        hint="Its operator has to fix that; if you trust it anyway, set cert_bundle to it or its issuer's certificate",
    )


def naming_issuer(error: TLSFailed, site: str, *, timeout: float = 3.0) -> TLSFailed:
    """The same error, with the name of the missing issuer if the server does not send that issuer's certificate.

    An error about a failed handshake does not say so. So this connects again, sends no secret, and reads the
    certificates that the server sends.
    """
    if error.reason != "unknown_issuer":
        return error
    sent = _sent_certificates(site, timeout)
    first = sent[0] if sent else None
    if first is None or len(sent) > 1 or not first.issuer or first.is_self_issued:
        return error
    return TLSFailed(
        f"The certificate of {site} is from the issuer {first.issuer!r}, which is not trusted here, and the server "
        "does not send that issuer's certificate",
        reason="unknown_issuer",
        hint="If that is an intermediate authority, the server's operator has to add its certificate to those that the "
        "server sends. Otherwise set cert_bundle to the issuer's certificate, or the server's own",
    )


def _sent_certificates(site: str, timeout: float) -> list[Certificate]:
    """The chain that the server sends; empty if it cannot be read."""
    parts = urlsplit(site)
    host = host_in_ascii(parts.hostname or "")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, parts.port or 443), timeout=timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            if hasattr(secured, "get_unverified_chain"):  # Python 3.13 and later
                return [certificate(one) for one in secured.get_unverified_chain()]
            chain = getattr(secured, "_sslobj").get_unverified_chain()  # noqa: B009 - the method before it was public
            return [certificate(one.public_bytes(_DER)) for one in chain or ()]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def probe(
    site: str, context: ssl.SSLContext, *, has_client_certificate: bool, timeout: float = 3.0
) -> TLSFailed | None:
    """Make a TLS handshake and wait. Returns the TLS reason why the site closes connections, or None.

    In TLS 1.3 a server rejects a client certificate after the handshake. If a request is under way, the alert that
    says so is lost. Without a request, it arrives.
    """
    parts = urlsplit(site)
    host = host_in_ascii(parts.hostname or "")
    try:
        with (
            socket.create_connection((host, parts.port or 443), timeout=timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            secured.settimeout(min(1.0, timeout))
            with contextlib.suppress(TimeoutError):
                secured.recv(1)
    except ssl.SSLEOFError:
        return None
    except ssl.SSLError as error:
        return explain(error, site=site, has_client_certificate=has_client_certificate)
    except OSError:
        return None
    return None
