"""Web sessions: how long they live, and how fresh a password must be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LIFETIME = timedelta(days=14)
"""From sign-in to the end, whatever happens (Zulip's SESSION_COOKIE_AGE)."""

IDLE_LIFETIME = timedelta(days=7)
"""From the last request to the end."""

CONFIRMED_FOR = timedelta(minutes=10)
"""How long a password just given stands for the person: whatever shows or changes their own key asks after that."""


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. `confirmed_at` is when the password was last given."""

    id: int
    account_id: int
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
    address: str
    client: str

    def is_confirmed(self, now: datetime) -> bool:
        """Whether the person has given the password recently enough to see or change their own key."""
        return self.confirmed_at is not None and now - self.confirmed_at < CONFIRMED_FOR
