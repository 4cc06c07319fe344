"""API keys as the server keeps them: one value per key ever issued, never the key itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.realms import Realm


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The last use of a key."""

    at: datetime
    address: str
    client: str


@dataclass(frozen=True, slots=True)
class APIKeyRecord:
    """What is known of a key without opening it. A live key has no `revoked_at`.

    `late_use` is the last time somebody tried it after it was revoked, and of a live key `use_of_old_key` the last time
    that somebody tried an earlier key of the account.
    """

    id: int
    account_id: int
    name: str
    created_at: datetime
    created_by: int | None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: int | None = None
    last_use: KeyUse | None = None
    late_use: KeyUse | None = None
    use_of_old_key: KeyUse | None = None

    @property
    def is_live(self) -> bool:
        """Not revoked; whether it is expired depends on the time of asking."""
        return self.revoked_at is None


@dataclass(frozen=True, slots=True)
class RevealedKey:
    """A live key, opened to be shown to somebody who may see it."""

    record: APIKeyRecord
    api_key: Secret


class VerifiedKey(NamedTuple):
    """Whose key a request bears, as the database had it when it was asked, after the request began.

    That a key is known says nothing yet: it may be `revoked` or expired, its account or realm deactivated.
    `newest_message_id` is -1 where the account was sent none.
    """

    key_id: int
    revoked: bool
    expires_at: datetime | None
    account: Account
    realm: Realm
    newest_message_id: int = -1
