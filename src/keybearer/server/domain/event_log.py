"""The event log: what happened, for whom. All events stand in it in the order in which they were written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

ACCESS_CHANGED = "keybearer_access_changed"
"""An internal event that no client gets: an account's open polls must check again whether they may go on."""

Recipients = Mapping[int, Sequence[str]]
"""The accounts that get an event, each with the flags of its own copy of the message."""


class Subject(NamedTuple):
    """What an event is about. It is delivered only to accounts that may see all of it at the time of delivery.

    `message_ids` are messages in channels: who gets the event must also see the channels that they are in by then.
    `addressed_ids` are the accounts whose addresses it shows: an address that is hidden by then is replaced.
    """

    channel_ids: tuple[int, ...] = ()
    message_ids: tuple[int, ...] = ()
    bot_id: int | None = None
    addressed_ids: tuple[int, ...] = ()


OPEN_TO_ALL = Subject()
"""The subject of events that are about nothing hidden: whoever receives them may see them."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened. `fields` are the event on the wire, without its number; `about` says who may see it.

    `recipients` None means everybody. Events of type `message` hold beside `message` the texts `content` and
    `rendered`, of which a queue gets one.
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
    """Characters of its fields as JSON."""

    def ends_polls_of(self, account_id: int) -> bool:
        """Whether the account's open polls must check again whether they may go on."""
        return self.event.type == ACCESS_CHANGED and self.event.fields["account_id"] == account_id


def access_changed(account_id: int) -> Event:
    """The account's key was replaced, a session of it ended, or the account was deactivated."""
    return Event(ACCESS_CHANGED, {"account_id": account_id}, OPEN_TO_ALL, {})


def without_flags(account_ids: Iterable[int]) -> Recipients:
    """Recipients of an event that is about no message."""
    return dict.fromkeys(account_ids, ())
