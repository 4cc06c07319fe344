"""Audit: the record of who did what to whom. Events are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AuditEvent(StrEnum):
    """`<noun>:<what happened to it>`. The noun is the file name that every layer uses for the thing."""

    REALM_CREATED = "realm:created"
    REALM_CHANGED = "realm:changed"
    REALM_MOVED = "realm:moved"
    ACCOUNT_CREATED = "account:created"
    ACCOUNT_CHANGED = "account:changed"
    ACCOUNT_RENAMED = "account:renamed"
    ACCOUNT_ROLE_CHANGED = "account:role_changed"
    ACCOUNT_EMAIL_CHANGE_REQUESTED = "account:email_change_requested"
    ACCOUNT_EMAIL_CHANGED = "account:email_changed"
    ACCOUNT_DEACTIVATED = "account:deactivated"
    ACCOUNT_REACTIVATED = "account:reactivated"
    BOT_CREATED = "bot:created"
    BOT_CHANGED = "bot:changed"
    BOT_OWNER_CHANGED = "bot:owner_changed"
    BOT_HAND_OVER_LINK_CREATED = "bot:hand_over_link_created"
    BOT_MESSAGES_VIEWED = "bot:messages_viewed"
    API_KEY_ISSUED = "api_key:issued"
    API_KEY_FETCHED = "api_key:fetched"
    API_KEY_VIEWED = "api_key:viewed"
    API_KEY_DOWNLOADED = "api_key:downloaded"
    API_KEY_REGENERATED = "api_key:regenerated"
    API_KEY_CHANGED = "api_key:changed"
    API_KEY_REPLACED = "api_key:replaced"
    API_KEY_REVOKED = "api_key:revoked"
    API_KEY_REVOKED_BY_POSSESSION = "api_key:revoked_by_possession"
    API_KEY_LATE_USE = "api_key:late_use"
    SESSION_OPENED = "session:opened"
    SESSION_REFUSED = "session:refused"
    SESSION_CLOSED = "session:closed"
    PASSWORD_CONFIRMED = "password:confirmed"  # noqa: S105  an event's name, not a password
    PASSWORD_REFUSED = "password:refused"  # noqa: S105  an event's name, not a password
    PASSWORD_CHANGED = "password:changed"  # noqa: S105  an event's name, not a password
    PASSWORD_RESET_REQUESTED = "password:reset_requested"  # noqa: S105  an event's name, not a password
    PASSWORD_RESET_LINK_CREATED = "password:reset_link_created"  # noqa: S105  an event's name, not a password
    DEVICE_REGISTERED = "device:registered"
    DEVICE_REMOVED = "device:removed"
    INVITATION_CREATED = "invitation:created"
    INVITATION_CHANGED = "invitation:changed"
    INVITATION_REVOKED = "invitation:revoked"
    CALL_REFUSED = "call:refused"
    SECRETS_PREPARED = "secrets:prepared"
    SECRETS_ROTATED = "secrets:rotated"


BY_STRANGERS = (AuditEvent.SESSION_REFUSED, AuditEvent.PASSWORD_RESET_REQUESTED)
"""Events that people without an account can cause. Limits on attempts bound their number, and they are kept for less
time than the others."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One event. Ids are of accounts; `details` hold names and numbers, never a secret."""

    id: int
    at: datetime
    event: AuditEvent
    actor_id: int | None
    subject_id: int | None
    address: str = ""
    client: str = ""
    details: Mapping[str, object] = field(default_factory=dict)
