"""Connects to a mail server."""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TIMEOUT = 30.0
"""Seconds that a mail server may be silent."""

LONGEST_SESSION = 60.0
"""Seconds after which a session is ended, even if the server keeps sending something."""

LARGEST_REPLIES = 256 * 1024
"""Bytes that the server may send in a session."""

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class NoTLS(smtplib.SMTPException):
    """The mail server does not offer TLS, which the URL, or a password in it, requires."""


class _Replies(io.RawIOBase):
    """What the mail server sends, until it has sent too much or the time is over."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection = connection
        self._until = until
        self._left = LARGEST_REPLIES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        seconds = min(TIMEOUT, self._until - time.monotonic())
        if seconds <= 0 or self._left <= 0:
            raise TimeoutError("the mail server's replies do not end")
        self._connection.settimeout(seconds)
        try:
            count = self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(TIMEOUT)
        self._left -= count
        return count


class _Session(smtplib.SMTP):
    """A session whose replies are bounded: smtplib itself reads lines for as long as the server sends them."""

    _until: float | None = None

    def getreply(self) -> tuple[int, bytes]:
        if self._until is None:
            self._until = time.monotonic() + LONGEST_SESSION
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_Replies(self.sock, self._until))
        return super().getreply()


class _TLSSession(_Session, smtplib.SMTP_SSL):
    """The same over TLS from the start."""


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
        server: smtplib.SMTP = _TLSSession(host, port, timeout=TIMEOUT, context=context)
    else:
        server = _Session(host, port, timeout=TIMEOUT)
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
