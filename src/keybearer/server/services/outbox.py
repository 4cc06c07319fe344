"""The mails that have not been sent, opened for the operator of the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from keybearer.errors import SecretRingError
from keybearer.server.services.context import Context
from keybearer.server.storage import mails
from keybearer.server.storage.mails import WaitingMail
from keybearer.server.storage.secret_ring import SecretRing


@dataclass(frozen=True, slots=True)
class UnsentMail:
    """A mail that waits, or was given up. `text` is None if it does not open under the server's secrets."""

    id: int
    recipient: str
    subject: str
    text: str | None = field(repr=False)
    attempts: int
    created_at: datetime
    is_given_up: bool


async def find(context: Context, *, limit: int) -> Sequence[UnsentMail]:
    """The newest mails that have not been sent, the oldest of them first."""
    async with context.reading() as connection:
        return [_opened(mail, context.ring) for mail in await mails.find_newest(connection, limit=limit)]


def _opened(mail: WaitingMail, ring: SecretRing) -> UnsentMail:
    try:
        text = mail.opened(ring).body
    except SecretRingError:
        text = None
    return UnsentMail(mail.id, mail.recipient, mail.subject, text, mail.attempts, mail.created_at, mail.is_given_up)
