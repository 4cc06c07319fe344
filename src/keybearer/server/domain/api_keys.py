"""API keys as the server keeps them: one value for every key ever issued, never the key itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import ALL_SCOPES, Grant, Scope
from keybearer.server.domain.realms import Realm

NAME_MAX_LENGTH = 60

UNUSED_AFTER = timedelta(days=90)
"""A key that has not been used for this long is flagged."""

LONGEST_OVERLAP = timedelta(hours=24)
"""The longest time that a key and its successor may both be live."""

END_MAILS = (timedelta(days=7), timedelta(days=1))
"""How long before a key ends its owner gets a mail about it. Each entry is one mail."""


def checked_key_name(text: str) -> str:
    """`text` without surrounding blanks. Raises Refused unless it is a valid name for a key."""
    name = text.strip()
    if not name or len(name) > NAME_MAX_LENGTH or not name.isprintable():
        raise Refused(f"The name of an API key needs 1 to {NAME_MAX_LENGTH} printable characters.")
    return name


def checked_overlap(seconds: int) -> timedelta:
    """How long a key and its successor are both live. Raises Refused unless it is from 0 to 24 hours."""
    if not 0 <= seconds <= LONGEST_OVERLAP.total_seconds():
        raise Refused(f"overlap_seconds must be from 0 to {int(LONGEST_OVERLAP.total_seconds())}.")
    return timedelta(seconds=seconds)


def mails_due(expires_at: datetime | None, now: datetime) -> int:
    """How many of the mails about the end of a key are due by now."""
    if expires_at is None:
        return 0
    return sum(expires_at - now <= before for before in END_MAILS)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The last use of a key."""

    at: datetime
    address: str
    client: str


@dataclass(frozen=True, slots=True)
class APIKeyRecord:
    """What is known about a key without opening it. A live key has no `revoked_at`.

    An account has one account key, which its pages show again, and may have named keys. `created_with` is the key that
    this one ends with. For a named key that is the key that created it, for an account key the named key that created
    it. `replaced_by` is the key that took its place; both are live until this one ends. `late_use` is the last time
    somebody tried this key after it was revoked. For a live key, `use_of_old_key` is the last time somebody tried an
    earlier key of the account.
    """

    id: int
    account_id: int
    name: str
    created_at: datetime
    created_by: int | None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: int | None = None
    is_account_key: bool = True
    scopes: Scope = ALL_SCOPES
    networks: tuple[str, ...] = ()
    created_with: int | None = None
    replaced_by: int | None = None
    last_use: KeyUse | None = None
    late_use: KeyUse | None = None
    use_of_old_key: KeyUse | None = None

    @property
    def is_live(self) -> bool:
        """Whether the key is not revoked. Whether it has expired depends on the time of asking."""
        return self.revoked_at is None

    @property
    def grant(self) -> Grant:
        """What the key lets its holder do."""
        return Grant(self.scopes, self.expires_at, self.networks)

    def is_unused(self, now: datetime) -> bool:
        """Whether the key has been unused for so long that it should be revoked."""
        used_at = self.created_at if self.last_use is None else self.last_use.at
        return now - used_at >= UNUSED_AFTER


@dataclass(frozen=True, slots=True)
class RevealedKey:
    """A live key, opened so that it can be shown to somebody who may see it."""

    record: APIKeyRecord
    api_key: Secret


class VerifiedKey(NamedTuple):
    """The owner of the key in a request, as the database had it when it was asked, after the request began.

    A known key is not yet a valid one: it may be `revoked` or expired, or its account or realm may be deactivated.
    `newest_message_id` is -1 if no message was ever sent to the account. `is_under_old_secret` means that the key was
    found by a digest under a secret that the ring has replaced since.
    """

    key_id: int
    revoked: bool
    grant: Grant
    is_account_key: bool
    account: Account
    realm: Realm
    newest_message_id: int = -1
    is_under_old_secret: bool = False
