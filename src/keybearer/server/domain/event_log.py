"""The event log: what happened, and who receives it. It holds all events in the order in which they were written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

ACCESS_CHANGED = "keybearer_access_changed"
"""An internal event that no client receives: the open polls of an account must check again whether they may continue.
"""

Recipients = Mapping[int, Sequence[str]]
"""The accounts that receive an event, each with the flags of its own copy of the message."""


class Subject(NamedTuple):
    """What an event is about. An event is delivered only to accounts that may see all of this at the time of delivery.

    `message_ids` are messages in channels: recipients must also see the channels that the messages are in by then.
    `addressed_ids` are the accounts whose addresses the event shows: an address that is hidden by then is replaced.
    """

    channel_ids: tuple[int, ...] = ()
    message_ids: tuple[int, ...] = ()
    bot_id: int | None = None
    addressed_ids: tuple[int, ...] = ()


OPEN_TO_ALL = Subject()
"""The subject of events that are about nothing hidden. Every recipient may see them."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened. `fields` is the event on the wire, without its number. `about` says who may see it.

    `recipients` is None for everybody. Next to `message`, events of type `message` hold the texts `content` and
    `rendered`; a queue receives one of them.
    """

    type: str
    fields: Mapping[str, object]
    about: Subject
    recipients: Recipients | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the log."""

    id: int
    event: Event
    size: int = 0
    """Length of the event as JSON, with its recipients and what it is about, in characters."""

    def ends_polls_of(self, account_id: int) -> bool:
        """Whether the open polls of the account must check again whether they may continue."""
        return self.event.type == ACCESS_CHANGED and self.event.fields["account_id"] == account_id


def access_changed(account_id: int) -> Event:
    """The account's key was replaced, a session of it ended, or the account was deactivated."""
    return Event(ACCESS_CHANGED, {"account_id": account_id}, OPEN_TO_ALL, {})


def without_flags(account_ids: Iterable[int]) -> Recipients:
    """Recipients of an event that is not about a message."""
    return dict.fromkeys(account_ids, ())
