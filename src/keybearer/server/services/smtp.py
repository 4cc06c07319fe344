"""Connects to a mail server."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

TIMEOUT = 30.0
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class NoTLS(smtplib.SMTPException):
    """The mail server does not offer TLS, which the URL, or a password in it, requires."""


@contextmanager
def connected(url: str) -> Iterator[smtplib.SMTP]:
    """A session with the server at `url`, signed in if the URL has a user.

    `smtps://` uses TLS from the start, `smtp+starttls://` requires it before anything else is sent, and `smtp://` uses
    it if the server offers it. A password is sent over TLS only. Raises OSError or SMTPException.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or _PORTS[parts.scheme]
    context = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT)
    with server:
        if parts.scheme != "smtps":
            _start_tls(server, context, is_needed=parts.scheme == "smtp+starttls" or bool(parts.password))
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        yield server


def _start_tls(server: smtplib.SMTP, context: ssl.SSLContext, *, is_needed: bool) -> None:
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=context)
        server.ehlo()
    elif is_needed:
        raise NoTLS("the mail server does not offer STARTTLS, and the URL or its password needs it")


def send(url: str, message: EmailMessage) -> None:
    """Send a mail. Raises OSError or SMTPException."""
    with connected(url) as server:
        server.send_message(message)


def reason(error: Exception) -> str:
    """Why a mail could not be sent, without the server's own words, which may contain addresses."""
    if isinstance(error, NoTLS):
        return str(error)
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__}, code {error.smtp_code}"
    known = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {known}" if known else type(error).__name__
