"""What somebody wants of a named key: a new one, or another name, fewer scopes, an earlier end, narrower networks."""

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
    """What the organization has set."""
    NEVER = "never"


def end_of(end: End | timedelta | datetime, now: datetime) -> datetime | None:
    """When a key ends that is to end so. Not for `End.DEFAULT`, which depends on the organization."""
    if isinstance(end, timedelta):
        return now + end
    return None if isinstance(end, End) else end


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a new key is to be. `expires_in` is a life, `networks` None for those of the key that asks."""

    name: str
    scopes: Scope = DEFAULT_SCOPES
    end: End | timedelta | datetime = End.DEFAULT
    networks: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What of a key is to change; None leaves it as it is."""

    name: str | None = None
    scopes: Scope | None = None
    end: End | timedelta | datetime | None = None
    networks: tuple[str, ...] | None = None

    def applied_to(self, record: APIKeyRecord, now: datetime) -> APIKeyRecord:
        """The key after the change. Raises Refused for a name that is none."""
        return replace(
            record,
            name=record.name if self.name is None else checked_key_name(self.name),
            scopes=record.scopes if self.scopes is None else self.scopes,
            expires_at=record.expires_at if self.end is None else end_of(self.end, now),
            networks=record.networks if self.networks is None else self.networks,
        )


def check_is_narrower(before: Grant, after: Grant) -> None:
    """Raise Refused, which says of what, where `after` allows more than `before`."""
    kinds = {"more scopes": "scopes", "later end": "expires_at", "wider networks": "networks"}
    wider = [
        words for words, field in kinds.items() if not before.covers(before._replace(**{field: getattr(after, field)}))
    ]
    if wider:
        raise Refused(
            f"An API key can only be narrowed, and gets no {' and no '.join(wider)}: add another key for more."
        )
