"""What several accounts see of events at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keybearer.server.domain.accounts import Account, EmailVisibility, display_email
from keybearer.server.domain.event_log import OPEN_TO_ALL, Subject
from keybearer.server.domain.messaging.channels import Channel
from keybearer.server.domain.visibility import may_see_bot, may_see_channel


@dataclass(frozen=True, slots=True)
class Sight:
    """What decides, at one moment, which of several accounts may see the subjects of events.

    `subscriptions` are pairs of an account and a channel, including those of bots' owners. `message_channels` says
    which channel a message is in now; deleted messages are absent. `dummy_domain` is the domain of the dummy addresses
    that replace hidden ones.
    """

    accounts: Mapping[int, Account] = field(default_factory=dict)
    channels: Mapping[int, Channel] = field(default_factory=dict)
    subscriptions: frozenset[tuple[int, int]] = frozenset()
    message_channels: Mapping[int, int] = field(default_factory=dict)
    dummy_domain: str = ""

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

    def without_hidden(self, subject: Subject, fields: Mapping[str, object]) -> Mapping[str, object]:
        """An event's fields, in which dummies replace addresses that have been hidden since it happened. So are earlier
        addresses of these people.
        """
        people = [self.accounts[each] for each in subject.addressed_ids if each in self.accounts]
        hidden = {
            person.id: display_email(person, self.dummy_domain)
            for person in people
            if person.email_visibility is not EmailVisibility.EVERYONE
        }
        return _without_addresses(fields, hidden) if hidden else fields

    def _shows_bot(self, viewer: Account, bot_id: int) -> bool:
        bot = self.accounts.get(bot_id)
        return bot is not None and may_see_bot(viewer, bot)

    def _shows_channel(self, viewer: Account, channel_id: int) -> bool:
        channel = self.channels.get(channel_id)
        follow = [each for each in (viewer.id, viewer.bot_owner_id or 0) if (each, channel_id) in self.subscriptions]
        return channel is not None and may_see_channel(viewer, channel, follow)


_ADDRESS_FIELDS = {
    "sender_email": ("sender_id",),
    "email": ("user_id", "id"),
    "new_email": ("user_id",),
    "delivery_email": ("user_id",),
}
"""The fields with somebody's address, and those beside them with that person's id."""


def _without_addresses(fields: Mapping[str, object], hidden: Mapping[int, str]) -> dict[str, object]:
    """These fields with the addresses of some people replaced, at any depth."""
    shown = {name: _within(value, hidden) for name, value in fields.items()}
    for name, beside in _ADDRESS_FIELDS.items():
        whose = next((fields[each] for each in beside if each in fields), None)
        if isinstance(whose, int) and whose in hidden and shown.get(name) is not None:
            shown[name] = None if name == "delivery_email" else hidden[whose]
    return shown


def _within(value: object, hidden: Mapping[int, str]) -> object:
    if isinstance(value, Mapping):
        return _without_addresses(value, hidden)
    if isinstance(value, list | tuple):
        return [_within(each, hidden) for each in value]
    return value
