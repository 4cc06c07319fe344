"""Channels (streams on the wire): their names, and who may create, change, leave and post to one."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.errors import NotPermitted, Refused

NAME_MAX_LENGTH = 60
_LONGEST_TYPED = 4 * NAME_MAX_LENGTH
"""Length of a name before it is normalized, in characters. Normalizing can turn three characters into one, and its time
grows with the square of the length."""

DESCRIPTION_MAX_LENGTH = 1024

DEFAULT_CHANNEL = "general"
"""The channel that every organization starts with."""

COLORS = ("#76ce90", "#fae589", "#a6c7e5", "#e79ab5", "#bfd56f", "#f4ae55", "#b0a5fd", "#addfe5", "#f5ce6e", "#c2726a")
"""Colors that subscriptions are given in turn."""

_FORBIDDEN_CATEGORIES = ("Cc", "Cs", "Cn")


class PostPolicy(IntEnum):
    """Who may post, by Zulip's numbers."""

    EVERYONE = 1
    ADMINISTRATORS = 2
    FULL_MEMBERS = 3
    MODERATORS = 4

    def includes(self, role: Role) -> bool:
        """Whether an account of this role may post."""
        least = {2: Role.ADMINISTRATOR, 3: Role.MEMBER, 4: Role.MODERATOR}.get(self.value, Role.GUEST)
        return role <= least


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel. Its content is for its subscribers and, unless it is private, for every member."""

    id: int
    realm_id: int
    name: str
    created_at: datetime
    description: str = ""
    rendered_description: str = ""
    is_private: bool = False
    post_policy: PostPolicy = PostPolicy.EVERYONE
    creator_id: int | None = None
    is_archived: bool = False
    is_default: bool = False
    first_message_id: int | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """An account's subscription to a channel. A notification setting is None where the account's own setting
    applies."""

    account_id: int
    channel_id: int
    color: str
    is_muted: bool = False
    pin_to_top: bool = False
    desktop_notifications: bool | None = None
    audible_notifications: bool | None = None
    push_notifications: bool | None = None
    email_notifications: bool | None = None
    wildcard_mentions_notify: bool | None = None


NOTIFICATION_SETTINGS = (
    "desktop_notifications",
    "audible_notifications",
    "push_notifications",
    "email_notifications",
    "wildcard_mentions_notify",
)


@dataclass(frozen=True, slots=True)
class Followed:
    """A channel, the accounts that follow it, and the viewer's own subscription, if there is one.

    If nobody asked who follows it, `subscriber_ids` is empty and `counted` says how many. `owner_follows` is about the
    owner of a viewer who is a bot.
    """

    channel: Channel
    subscriber_ids: frozenset[int] = frozenset()
    subscription: Subscription | None = None
    counted: int | None = None
    owner_follows: bool = False

    @property
    def subscriber_count(self) -> int:
        """How many accounts follow the channel."""
        return len(self.subscriber_ids) if self.counted is None else self.counted


@dataclass(frozen=True, slots=True)
class SubscriptionChanges:
    """What a request to follow channels changed: channels by account, and channels that were already followed.

    `removed` and `not_removed` are the names of channels that the caller left first, and of those that they did not
    follow.
    """

    subscribed: dict[int, list[Channel]] = field(default_factory=dict)
    already: dict[int, list[Channel]] = field(default_factory=dict)
    unauthorized: tuple[str, ...] = ()
    removed: Sequence[str] = ()
    not_removed: Sequence[str] = ()


def name_key(name: str) -> str:
    """The form in which a channel's or a topic's name is looked up: in one case.

    Names have at most `_LONGEST_TYPED` characters, so anything after those is ignored.
    """
    return unicodedata.normalize("NFC", name[:_LONGEST_TYPED]).casefold()


def checked_name(text: str) -> str:
    """`text` without surrounding blanks. Raises Refused with Zulip's words unless it is a valid name for a channel."""
    typed = text.strip()
    name = unicodedata.normalize("NFC", typed[:_LONGEST_TYPED])
    if not name:
        raise Refused("Channel name can't be empty.")
    if len(name) > NAME_MAX_LENGTH or len(typed) > _LONGEST_TYPED:
        raise Refused(f"Channel name too long (limit: {NAME_MAX_LENGTH} characters).")
    for position, character in enumerate(name, start=1):
        if unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
            raise Refused(f"Invalid character in channel name, at position {position}.")
    return name


def checked_description(text: str) -> str:
    """A description on one line. Raises Refused if it is too long."""
    description = " ".join(text.split())
    if len(description) > DESCRIPTION_MAX_LENGTH:
        raise Refused(f"description is too long (limit: {DESCRIPTION_MAX_LENGTH} characters)")
    return description


def checked_post_policy(number: int) -> PostPolicy:
    """The policy with that number. Raises Refused with Zulip's words if there is none."""
    try:
        return PostPolicy(number)
    except ValueError:
        raise Refused("Invalid stream_post_policy") from None


def invalid_channel() -> Refused:
    """Zulip's refusal for a channel that does not exist or that the account may not see. Both look the same."""
    return Refused("Invalid channel ID")


def may_create_channels(account: Account) -> bool:
    """Whether an account may create channels: every member may."""
    return account.role <= Role.MEMBER


def may_subscribe_others(account: Account) -> bool:
    """Whether an account may subscribe others to channels: every member may."""
    return account.role <= Role.MEMBER


def may_unsubscribe(account: Account, other: Account) -> bool:
    """Whether an account may end another account's subscriptions: its own and its bots'; administrators everybody's."""
    return account.is_administrator or account.id in (other.id, other.bot_owner_id)


def may_administer(account: Account, channel: Channel) -> bool:
    """Whether an account that sees the channel may rename, restrict or archive it.

    Administrators may. Its creator may too, unless they are a guest.
    """
    return (
        account.realm_id == channel.realm_id
        and account.role <= Role.MEMBER
        and (account.is_administrator or account.id == channel.creator_id)
    )


def check_may_be_default(account: Account, *, is_private: bool) -> None:
    """Raise Refused, with Zulip's words, unless the account may subscribe new people to such a channel by default."""
    if not account.is_administrator:
        raise NotPermitted
    if is_private:
        raise Refused("A default channel cannot be private.")


def check_may_post(account: Account, channel: Channel) -> None:
    """Raise Refused with Zulip's words unless the account may post to a channel that it, or its owner, sees.

    A bot may post wherever its owner may, so an integration needs no subscription.
    """
    if channel.is_archived:
        raise Refused(f"Not authorized to send to channel '{channel.name}'")
    role = account.role if account.owner is None else account.owner.role
    if not channel.post_policy.includes(role):
        raise Refused("You do not have permission to post in this channel.")
