"""Presence and status: when an account was last present, and the status that it has set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.errors import Refused

OFFLINE_AFTER = timedelta(seconds=140)
"""After this time an account counts as offline (Zulip's server_presence_offline_threshold_seconds)."""

PING_EVERY = timedelta(seconds=60)
STATUS_MAX_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Presence:
    """When an account's program was last running, and when the person was last active in it (None: never)."""

    account_id: int
    seen_at: datetime
    active_at: datetime | None = None
    client: str = ""

    @property
    def is_active(self) -> bool:
        """Whether the person was active in the program when it was last running."""
        return self.active_at is not None and self.active_at == self.seen_at


Present = tuple[Presence, Account]
"""An account that was present lately."""


@dataclass(frozen=True, slots=True)
class Status:
    """An account's status: words and an emoji. Either may be empty. An account that is away is shown as offline."""

    account_id: int
    text: str = ""
    emoji_name: str = ""
    emoji_code: str = ""
    kind: str = ""
    is_away: bool = False


def checked_presence(status: str) -> bool:
    """Whether the person is active. Raises Refused with Zulip's words for any word except the two."""
    if status not in ("active", "idle"):
        raise Refused(f"Invalid status: {status}")
    return status == "active"


def checked_status_text(text: str) -> str:
    """The words without surrounding blanks. Raises Refused if they are too long."""
    text = text.strip()
    if len(text) > STATUS_MAX_LENGTH:
        raise Refused(f"status_text is too long (limit: {STATUS_MAX_LENGTH} characters)")
    return text
