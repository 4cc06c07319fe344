"""A mail server on a socket, aiosmtpd: it accepts mails, or refuses them if told to."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


@dataclass
class SMTPServer:
    """What it received. `refusal` is the answer to each recipient, if it is set."""

    port: int = 0
    refusal: str = ""
    hang_up: bool = False
    credentials: tuple[bytes, bytes] | None = None
    over_tls: list[bool] = field(default_factory=list)
    """For each mail, whether it was sent over TLS."""
    messages: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  as aiosmtpd has it
        self, _server: SMTP, _session: object, envelope: Any, address: str, _options: object
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 well"

    async def handle_DATA(self, server: SMTP, _session: object, envelope: Any) -> str:  # noqa: N802  as aiosmtpd has it
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        assert server.transport is not None
        self.over_tls.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 taken"

    def authenticate(
        self, _server: SMTP, _session: object, _envelope: object, _mechanism: str, given: Any
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.credentials = (given.login, given.password)
        return AuthResult(success=True)


class _HangingUp(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


@asynccontextmanager
async def smtp_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[SMTPServer]:
    """A server on a free port of this machine: with STARTTLS, with TLS from the start, or unencrypted.

    It accepts a password unencrypted too: it is the client that must not send one.
    """
    server = SMTPServer()
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.Protocol:
        if server.hang_up:
            return _HangingUp()
        return SMTP(
            server,
            tls_context=starttls,
            authenticator=server.authenticate,
            auth_require_tls=False,
            loop=loop,
            hostname="test",
        )

    listening = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()
