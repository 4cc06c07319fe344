"""A request for a named key: a new key, or a new name, fewer scopes, an earlier end or narrower networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from keybearer.server.domain.api_keys import APIKeyRecord, checked_key_name
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import DEFAULT_SCOPES, Grant, Scope


class End(Enum):
    """An end of a key that is not a date."""

    DEFAULT = "default"
    """The organization's default."""
    NEVER = "never"


def end_of(end: End | timedelta | datetime, now: datetime) -> datetime | None:
    """When a key with this end expires. Not for `End.DEFAULT`, which depends on the organization."""
    if isinstance(end, timedelta):
        return now + end
    return None if isinstance(end, End) else end


@dataclass(frozen=True, slots=True)
class NewKey:
    """The properties of a new key. `expires_in` is a life. `networks` is None for those of the requesting key."""

    name: str
    scopes: Scope = DEFAULT_SCOPES
    end: End | timedelta | datetime = End.DEFAULT
    networks: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class KeyChange:
    """The properties of a key to change. None leaves a property as it is."""

    name: str | None = None
    scopes: Scope | None = None
    end: End | timedelta | datetime | None = None
    networks: tuple[str, ...] | None = None

    def applied_to(self, record: APIKeyRecord, now: datetime) -> APIKeyRecord:
        """The key after the change. Raises Refused for an invalid name."""
        return replace(
            record,
            name=record.name if self.name is None else checked_key_name(self.name),
            scopes=record.scopes if self.scopes is None else self.scopes,
            expires_at=record.expires_at if self.end is None else end_of(self.end, now),
            networks=record.networks if self.networks is None else self.networks,
        )


def check_is_narrower(before: Grant, after: Grant) -> None:
    """Raise Refused if `after` allows more than `before`. The message says which part."""
    kinds = {"more scopes": "scopes", "later end": "expires_at", "wider networks": "networks"}
    wider = [
        words for words, field in kinds.items() if not before.covers(before._replace(**{field: getattr(after, field)}))
    ]
    if wider:
        raise Refused(
            f"An API key can only be narrowed, and gets no {' and no '.join(wider)}: add another key for more."
        )
