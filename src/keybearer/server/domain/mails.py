"""Mails: what the server tells an account outside its pages. No mail holds a key or a password."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mail:
    """A plain-text message to one address."""

    recipient: str
    subject: str
    body: str
