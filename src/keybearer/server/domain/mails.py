"""Mails: what the server tells an account outside its pages. No mail contains a key or a password."""

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
class MailHead:
    """What administrators see of a mail that was not sent. Never its text, which may contain a link."""

    recipient: str
    subject: str
    created_at: datetime
    is_given_up: bool
