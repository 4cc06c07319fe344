"""What an organization requires about the end of named keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from keybearer.server.domain.errors import Refused

MOST_DAYS = 3650
"""The longest life that a key with an end can have, in days."""

NO_SUCH_LIFE = f"The life of an API key is from 1 to {MOST_DAYS} days."


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """How long named keys may live, in days: the longest life, and the default for requests that name none.

    None means without end. If `must_end` is true or there is a longest life, every new key has an end.
    """

    longest_days: int | None = None
    default_days: int | None = None
    must_end: bool = False

    @property
    def forbids_endless(self) -> bool:
        """Whether every new key needs an end."""
        return self.must_end or self.longest_days is not None

    def checked(self) -> KeyPolicy:
        """The policy itself. Raises Refused if its parts contradict each other."""
        for days in (self.longest_days, self.default_days):
            if days is not None and not 1 <= days <= MOST_DAYS:
                raise Refused(NO_SUCH_LIFE)
        if self.default_days is None and self.forbids_endless:
            raise Refused("Where API keys must end, they need a default life: set default_api_key_days too.")
        if self.longest_days is not None and (self.default_days or 0) > self.longest_days:
            raise Refused("The default life of API keys is longer than the longest life.")
        return self

    def default_end(self, now: datetime) -> datetime | None:
        """When a key ends if nobody chose an end."""
        return None if self.default_days is None else now + timedelta(days=self.default_days)

    def check_end(self, expires_at: datetime | None, now: datetime) -> None:
        """Raise Refused for an end that is past, too far away, or missing."""
        if expires_at is None:
            if self.forbids_endless:
                raise Refused("This organization does not allow API keys without an end.")
            return
        if expires_at <= now:
            raise Refused("An API key must end in the future.")
        longest = MOST_DAYS if self.longest_days is None else self.longest_days
        if expires_at > now + timedelta(days=longest):
            raise Refused(f"An API key may live {longest} days at most.")

    def end_of_successor(self, expires_at: datetime | None, now: datetime) -> datetime | None:
        """When a key ends that replaces a key with this end: at the same time, or earlier if the policy requires it."""
        if expires_at is None and self.forbids_endless:
            expires_at = self.default_end(now)
        if expires_at is None or self.longest_days is None:
            return expires_at
        return min(expires_at, now + timedelta(days=self.longest_days))


NO_POLICY = KeyPolicy()
"""The policy until an organization sets another."""
