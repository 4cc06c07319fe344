"""Sends waiting mails. If no mail server is set, they stay in the database for `keybearer admin outbox`."""

from __future__ import annotations

import asyncio
import logging
import smtplib
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from keybearer.errors import SecretRingError
from keybearer.server.domain.mails import Mail
from keybearer.server.domain.realms import is_address
from keybearer.server.services import smtp
from keybearer.server.services.background import every, repeat
from keybearer.server.services.context import Context
from keybearer.server.storage import mails, realms
from keybearer.server.storage.mails import WaitingMail

LOOK_EVERY = 2.0
BATCH = 20
SENDING_TAKES = timedelta(minutes=2)
ATTEMPTS = 8

_log = logging.getLogger(__name__)


class MailDelivery:
    """Empties the queue. A mail that fails waits twice as long each time, and is given up after about two hours."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self) -> None:
        """Look for mails every two seconds until cancelled."""
        await repeat(self.deliver_due, wait=every(LOOK_EVERY), what="looking for mails", at_once=True)

    async def deliver_due(self) -> int:
        """Send the mails that are due. Returns how many were sent."""
        now = self._context.clock()
        async with self._context.reading() as connection:
            due = await mails.find_due(connection, now, limit=BATCH)
        return sum([await self.deliver(waiting) for waiting in due])

    async def deliver(self, waiting: WaitingMail) -> bool:
        """Send one mail. False if it failed, or if another worker was faster."""
        now, url = self._context.clock(), self._context.settings.smtp_url
        until = now + max(SENDING_TAKES, timedelta(minutes=2**waiting.attempts))
        async with self._context.change(None) as change:
            if not await mails.claim(change.connection, waiting.id, attempts=waiting.attempts, until=until):
                return False
            if url is None:
                await mails.give_up(change.connection, waiting.id)
            realm = await realms.find(change.connection)
        if url is None:
            _log.info("no mail server is set: read mail %d with `keybearer admin outbox`", waiting.id)
            return False
        host = realm.host if realm is not None else "localhost"
        try:
            message = _message(waiting, waiting.opened(self._context.ring), host)
            await asyncio.to_thread(smtp.send, url, message)
        except (OSError, smtplib.SMTPException, SecretRingError, ValueError) as error:  # ValueError: not a mail address
            await self._failed(waiting, error)
            return False
        async with self._context.change(None) as change:
            await mails.remove(change.connection, waiting.id)
        return True

    async def _failed(self, waiting: WaitingMail, error: Exception) -> None:
        last = waiting.attempts + 1 >= ATTEMPTS
        _log.error(
            "mail %d could not be sent (%s); %s", waiting.id, smtp.reason(error), "given up" if last else "waiting"
        )
        if last:
            async with self._context.change(None) as change:
                await mails.give_up(change.connection, waiting.id)


def _message(waiting: WaitingMail, mail: Mail, host: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Keybearer <noreply@{f'[{host}]' if is_address(host) else host}>"
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(waiting.created_at)
    message["Message-ID"] = make_msgid(idstring=str(waiting.id), domain=host)
    message["Auto-Submitted"] = "auto-generated"
    # Not quoted-printable, which would break a long link in two for people who read the raw message.
    message.set_content(mail.body, cte="7bit" if mail.body.isascii() else "8bit")
    return message
