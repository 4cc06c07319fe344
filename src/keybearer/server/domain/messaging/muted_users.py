"""Muted users: accounts whose messages another account wants to be marked as read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, without_flags


@dataclass(frozen=True, slots=True)
class MutedUser:
    """An account that another account has muted, and since when."""

    account_id: int
    muted_id: int
    muted_at: datetime


def muted_fields(muted: Sequence[MutedUser]) -> list[dict[str, object]]:
    """Muted users on the wire."""
    return [{"id": each.muted_id, "timestamp": int(each.muted_at.timestamp())} for each in muted]


def changed(account_id: int, muted: Sequence[MutedUser]) -> Event:
    """The event for the accounts that an account currently mutes."""
    fields = {"type": "muted_users", "muted_users": muted_fields(muted)}
    return Event("muted_users", fields, OPEN_TO_ALL, without_flags([account_id]))
