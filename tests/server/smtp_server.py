"""A real SMTP server on a socket, small: it takes mails, or refuses them as it is told."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass
class SMTPServer:
    """What came in. `refusal` is the answer to RCPT instead of 250, where it is set."""

    port: int = 0
    refusal: str = ""
    hang_up: bool = False
    credentials: str = ""
    messages: list[EmailMessage] = field(default_factory=list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, from greeting to QUIT."""

        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        try:
            if self.hang_up:
                return
            await say("220 test")
            while line := (await reader.readline()).decode().strip():
                verb = line.split(" ")[0].upper()
                if verb == "EHLO":
                    await say("250-test\r\n250 AUTH PLAIN")
                elif verb == "AUTH":
                    self.credentials = base64.b64decode(line.split(" ")[2]).decode()
                    await say("235 welcome")
                elif verb == "RCPT" and self.refusal:
                    await say(self.refusal)
                elif verb == "DATA":
                    await say("354 go on")
                    await self._take(reader)
                    await say("250 taken")
                elif verb == "QUIT":
                    await say("221 bye")
                    return
                else:
                    await say("250 well")
        finally:
            writer.close()

    async def _take(self, reader: asyncio.StreamReader) -> None:
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            lines.append(line)
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)


@asynccontextmanager
async def smtp_server() -> AsyncIterator[SMTPServer]:
    """A server that listens on a free port of this machine."""
    server = SMTPServer()
    listening = await asyncio.start_server(server.converse, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()
