"""Mails: what the server tells an account outside its pages. No mail holds a key or a password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """A plain-text message to one address."""

    recipient: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail in the queue, and how often sending it was tried."""

    id: int
    mail: Mail
    attempts: int
    created_at: datetime
