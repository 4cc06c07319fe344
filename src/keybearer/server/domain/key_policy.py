"""What an organization asks of the ends of named keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from keybearer.server.domain.errors import Refused

MOST_DAYS = 3650
"""The longest life that a key with an end can have, in days."""

NO_SUCH_LIFE = f"The life of an API key is from 1 to {MOST_DAYS} days."


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """How long named keys may live: the longest life and the one that is meant where none is said, in days.

    None is without end. Where `must_end`, or there is a longest life, no new key is endless.
    """

    longest_days: int | None = None
    default_days: int | None = None
    must_end: bool = False

    @property
    def forbids_endless(self) -> bool:
        """Whether every new key needs an end."""
        return self.must_end or self.longest_days is not None

    def checked(self) -> KeyPolicy:
        """The policy itself. Raises Refused where its parts contradict each other."""
        for days in (self.longest_days, self.default_days):
            if days is not None and not 1 <= days <= MOST_DAYS:
                raise Refused(NO_SUCH_LIFE)
        if self.default_days is None and self.forbids_endless:
            raise Refused("Where API keys must end, they need a usual life: set default_api_key_days too.")
        if self.longest_days is not None and (self.default_days or 0) > self.longest_days:
            raise Refused("The usual life of API keys is longer than the longest one.")
        return self

    def default_end(self, now: datetime) -> datetime | None:
        """When a key ends of which nobody said it."""
        return None if self.default_days is None else now + timedelta(days=self.default_days)

    def check_end(self, expires_at: datetime | None, now: datetime) -> None:
        """Raise Refused for an end that has come, is too far, or is missing."""
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
        """When a key ends that takes the place of one with this end: then too, or earlier where the policy says so."""
        if expires_at is None and self.forbids_endless:
            expires_at = self.default_end(now)
        if expires_at is None or self.longest_days is None:
            return expires_at
        return min(expires_at, now + timedelta(days=self.longest_days))


NO_POLICY = KeyPolicy()
"""What holds until an organization says otherwise."""
