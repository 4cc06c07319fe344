"""What several accounts see of events at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from keybearer.server.domain.accounts import Account, EmailVisibility, display_email
from keybearer.server.domain.event_log import OPEN_TO_ALL, Subject
from keybearer.server.domain.messaging.channels import Channel
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.visibility import may_see_bot, may_see_channel

_ADDRESS_FIELDS = {
    "sender_email": ("sender_id",),
    "email": ("user_id", "id"),
    "new_email": ("user_id",),
    "delivery_email": ("user_id",),
}
"""The fields with somebody's address, and those beside them with that person's id."""

LONG = 100
"""Entries of a list in which addresses are replaced only once for all queues that get the event."""


def _long_lists(fields: Mapping[str, object]) -> Iterator[Sequence[object]]:
    for value in fields.values():
        if isinstance(value, Mapping):
            yield from _long_lists(value)
        elif isinstance(value, list | tuple) and len(value) >= LONG:
            yield value


@dataclass(frozen=True, slots=True)
class Sight:
    """What decides, at one moment, which of several accounts may see the subjects of events.

    `accounts` has the accounts that look, bots, and of the accounts that events name those that hide their address.
    `subscriptions` are pairs of an account and a channel, including those of bots' owners. `message_channels` says
    which channel a message is in now; deleted messages are absent. `dummy_domain` is the domain of the dummy addresses
    that replace hidden ones.
    """

    accounts: Mapping[int, Account] = field(default_factory=dict)
    channels: Mapping[int, Channel] = field(default_factory=dict)
    subscriptions: frozenset[tuple[int, int]] = frozenset()
    message_channels: Mapping[int, int] = field(default_factory=dict)
    dummy_domain: str = ""
    _hidden: dict[int, tuple[Subject, Mapping[int, str]]] = field(default_factory=dict, init=False, compare=False)
    """The addresses to replace in events about a subject, by the `id` of the subject: comparing takes long."""
    _replaced: dict[tuple[int, int], tuple[object, object]] = field(default_factory=dict, init=False, compare=False)
    """Long lists with addresses replaced: events for many queues have them in common."""

    def shows(self, subject: Subject, account_id: int) -> bool:
        """Whether the account may see everything that an event is about."""
        if subject == OPEN_TO_ALL:
            return True
        viewer = self.accounts.get(account_id)
        if viewer is None:
            return False
        if subject.bot_id is not None and not self._shows_bot(viewer, subject.bot_id):
            return False
        now_in = {self.message_channels[each] for each in subject.message_ids if each in self.message_channels}
        return all(self._shows_channel(viewer, each) for each in {*subject.channel_ids, *now_in})

    async def without_hidden(self, subject: Subject, fields: Mapping[str, object]) -> Mapping[str, object]:
        """An event's fields, in which dummies replace addresses that have been hidden since it happened. So are earlier
        addresses of these people.

        Long lists stay one object for all queues that get the event.
        """
        if id(subject) not in self._hidden:
            self._hidden[id(subject)] = (subject, self._hidden_addresses(subject))
        _, hidden = self._hidden[id(subject)]
        if not hidden:
            return fields
        for value in _long_lists(fields):
            if (id(value), id(hidden)) not in self._replaced:
                replaced = await paced(partial(self._within, hidden=hidden), value)
                self._replaced[id(value), id(hidden)] = (value, replaced)
        return self._without_addresses(fields, hidden)

    def _hidden_addresses(self, subject: Subject) -> Mapping[int, str]:
        people = [self.accounts[each] for each in subject.addressed_ids if each in self.accounts]
        return {
            person.id: display_email(person, self.dummy_domain)
            for person in people
            if person.email_visibility is not EmailVisibility.EVERYONE
        }

    def _without_addresses(self, fields: Mapping[str, object], hidden: Mapping[int, str]) -> dict[str, object]:
        """These fields with the addresses of some people replaced, at any depth."""
        shown = {name: self._within(value, hidden) for name, value in fields.items()}
        for name, beside in _ADDRESS_FIELDS.items():
            whose = next((fields[each] for each in beside if each in fields), None)
            if isinstance(whose, int) and whose in hidden and shown.get(name) is not None:
                shown[name] = None if name == "delivery_email" else hidden[whose]
        return shown

    def _within(self, value: object, hidden: Mapping[int, str]) -> object:
        if isinstance(value, Mapping):
            return self._without_addresses(value, hidden)
        if not isinstance(value, list | tuple):
            return value
        known = self._replaced.get((id(value), id(hidden)))
        return [self._within(each, hidden) for each in value] if known is None else known[1]

    def _shows_bot(self, viewer: Account, bot_id: int) -> bool:
        bot = self.accounts.get(bot_id)
        return bot is not None and may_see_bot(viewer, bot)

    def _shows_channel(self, viewer: Account, channel_id: int) -> bool:
        channel = self.channels.get(channel_id)
        follow = [each for each in (viewer.id, viewer.bot_owner_id or 0) if (each, channel_id) in self.subscriptions]
        return channel is not None and may_see_channel(viewer, channel, follow)
