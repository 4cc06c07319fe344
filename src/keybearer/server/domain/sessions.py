"""Web sessions: how long they live, and how recent a password must be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LIFETIME = timedelta(days=14)
"""From sign-in to the end, in every case (Zulip's SESSION_COOKIE_AGE)."""

IDLE_LIFETIME = timedelta(days=7)
"""From the last request to the end."""

CONFIRMED_FOR = timedelta(minutes=10)
"""How long a password counts as recently given. After that, everything that shows or changes the person's own key asks
for it again."""


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
        """Whether the password was given recently enough to see or change one's own key."""
        return self.confirmed_at is not None and now - self.confirmed_at < CONFIRMED_FOR
