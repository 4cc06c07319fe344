"""Who may see what: an address, a channel, a message, a file, a bot. Nothing else decides it.

A rule is a value made of facts, and it is evaluated in two ways: `holds` evaluates it for loaded values, and
`keybearer.server.storage.visibility` makes an SQL condition from the same value. Both are evaluated when something is
shown or delivered, for the account as it is at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from enum import IntEnum, auto
from functools import cache

from keybearer.server.domain.accounts import Account, EmailVisibility, Role, display_email
from keybearer.server.domain.messaging.channels import Channel


class Fact(IntEnum):
    """What a rule can ask about a viewer and about the thing that they look at."""

    SAME_REALM = auto()
    VIEWER_IS_PERSON = auto()
    VIEWER_IS_MEMBER = auto()
    VIEWER_IS_MODERATOR = auto()
    VIEWER_IS_ADMINISTRATOR = auto()
    OWNER_IS_MEMBER = auto()

    IS_OWN_ADDRESS = auto()
    SHOWN_TO_EVERYONE = auto()
    SHOWN_TO_MEMBERS = auto()
    SHOWN_TO_MODERATORS = auto()
    SHOWN_TO_ADMINISTRATORS = auto()

    IS_PUBLIC = auto()
    IS_SUBSCRIBED = auto()
    OWNER_IS_SUBSCRIBED = auto()

    SEES_CHANNEL = auto()
    IS_DIRECT = auto()
    HAS_COPY = auto()

    IS_UPLOADER = auto()
    SEES_LINKING_MESSAGE = auto()

    IS_BOT = auto()
    IS_BOT_OWNER = auto()
    ROLE_REACHES_BOT = auto()


@dataclass(frozen=True, slots=True)
class AllOf:
    """A rule that holds if all of its parts hold."""

    parts: tuple[Visibility, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A rule that holds if at least one of its parts holds."""

    parts: tuple[Visibility, ...]


Visibility = Fact | AllOf | AnyOf
"""A rule about who sees something."""


def all_of(*parts: Visibility) -> AllOf:
    """The rule that all of these hold."""
    return AllOf(parts)


def any_of(*parts: Visibility) -> AnyOf:
    """The rule that at least one of these holds."""
    return AnyOf(parts)


ADDRESS = any_of(
    Fact.IS_OWN_ADDRESS,
    all_of(
        Fact.SAME_REALM,
        any_of(
            Fact.SHOWN_TO_EVERYONE,
            all_of(Fact.SHOWN_TO_MEMBERS, Fact.VIEWER_IS_MEMBER),
            all_of(Fact.SHOWN_TO_MODERATORS, Fact.VIEWER_IS_MODERATOR),
            all_of(Fact.SHOWN_TO_ADMINISTRATORS, Fact.VIEWER_IS_ADMINISTRATOR),
        ),
    ),
)
"""A delivery email is visible to the people to whom its account shows it."""

CHANNEL = all_of(
    Fact.SAME_REALM,
    any_of(Fact.IS_SUBSCRIBED, all_of(Fact.IS_PUBLIC, Fact.VIEWER_IS_MEMBER)),
    any_of(Fact.VIEWER_IS_PERSON, Fact.OWNER_IS_SUBSCRIBED, all_of(Fact.IS_PUBLIC, Fact.OWNER_IS_MEMBER)),
)
"""A channel is visible to its subscribers, and a public one to every member. Guests see the channels to which they are
subscribed.

A bot sees only channels that its owner sees, because the owner can read everything that the bot sees with the bot's
key.
"""

MESSAGE = all_of(Fact.SAME_REALM, any_of(Fact.SEES_CHANNEL, all_of(Fact.IS_DIRECT, Fact.HAS_COPY)))
"""A message is visible to everybody who sees its channel now. A direct message is visible to the people it was sent to.
"""

FILE = any_of(Fact.IS_UPLOADER, Fact.SEES_LINKING_MESSAGE)
"""A file is visible to its uploader, and to everybody who sees a message that links to it."""

BOT = all_of(
    Fact.SAME_REALM,
    Fact.IS_BOT,
    Fact.VIEWER_IS_PERSON,
    Fact.VIEWER_IS_MEMBER,
    any_of(Fact.IS_BOT_OWNER, all_of(Fact.VIEWER_IS_ADMINISTRATOR, Fact.ROLE_REACHES_BOT)),
)
"""The details of managing a bot are visible to its owner, and to administrators whose role is not below the bot's."""

BOT_MESSAGES = all_of(BOT, Fact.IS_BOT_OWNER)
"""What a bot sent and received is visible to its owner alone, as far as the bot itself sees it."""


def holds(rule: Visibility, is_fact: Callable[[Fact], bool]) -> bool:
    """Whether a rule holds, given the facts for which `is_fact` is true."""
    if isinstance(rule, Fact):
        return is_fact(rule)
    decisive = isinstance(rule, AnyOf)
    for part in rule.parts:
        if holds(part, is_fact) is decisive:
            return decisive
    return not decisive


_LEAST_ROLES: Mapping[Fact, Role] = {
    Fact.VIEWER_IS_MEMBER: Role.MEMBER,
    Fact.VIEWER_IS_MODERATOR: Role.MODERATOR,
    Fact.VIEWER_IS_ADMINISTRATOR: Role.ADMINISTRATOR,
}


def _has_role(least: Role) -> Callable[[Account], bool]:
    return lambda viewer: viewer.role <= least


VIEWER_FACTS: Mapping[Fact, Callable[[Account], bool]] = {
    Fact.VIEWER_IS_PERSON: lambda viewer: not viewer.is_bot,
    **{fact: _has_role(least) for fact, least in _LEAST_ROLES.items()},
    Fact.OWNER_IS_MEMBER: lambda viewer: viewer.owner is not None and viewer.owner.role <= Role.MEMBER,
}
"""The facts about the viewer alone. The role is the one in effect: a bot never sees more than its owner may."""

SHOWN_TO: Mapping[Fact, EmailVisibility] = {
    Fact.SHOWN_TO_EVERYONE: EmailVisibility.EVERYONE,
    Fact.SHOWN_TO_MEMBERS: EmailVisibility.MEMBERS,
    Fact.SHOWN_TO_MODERATORS: EmailVisibility.MODERATORS,
    Fact.SHOWN_TO_ADMINISTRATORS: EmailVisibility.ADMINISTRATORS,
}
"""The facts about an account's choice for its address."""

_AccountFact = Callable[[Account, Account], bool]


def _about_viewer(is_fact: Callable[[Account], bool]) -> _AccountFact:
    return lambda viewer, _subject: is_fact(viewer)


def _is_shown_to(chosen: EmailVisibility) -> _AccountFact:
    return lambda _viewer, subject: subject.email_visibility is chosen


_ACCOUNT_FACTS: Mapping[Fact, _AccountFact] = {
    **{fact: _about_viewer(is_fact) for fact, is_fact in VIEWER_FACTS.items()},
    **{fact: _is_shown_to(chosen) for fact, chosen in SHOWN_TO.items()},
    Fact.SAME_REALM: lambda viewer, subject: viewer.realm_id == subject.realm_id,
    Fact.IS_OWN_ADDRESS: lambda viewer, subject: viewer.id == subject.id,
    Fact.IS_BOT: lambda _viewer, subject: subject.is_bot,
    Fact.IS_BOT_OWNER: lambda viewer, subject: viewer.id == subject.bot_owner_id,
    Fact.ROLE_REACHES_BOT: lambda viewer, subject: viewer.role <= subject.role,
}


def _holds_for_account(rule: Visibility, viewer: Account, subject: Account) -> bool:
    return holds(rule, lambda fact: _ACCOUNT_FACTS[fact](viewer, subject))


def may_see_origin(viewer: Account, actor: Account | None) -> bool:
    """Whether the viewer may see the address and the program from which something was done.

    Everybody sees them for what they and their bots did, and for what unknown callers did to them. Administrators see
    all.
    """
    return actor is None or viewer.id in (actor.id, actor.bot_owner_id) or viewer.is_administrator


def may_see_email(viewer: Account, subject: Account) -> bool:
    """Whether the viewer may see the delivery email of `subject`."""
    # This first part of the rule decides for every `GET users/me`.
    return viewer.id == subject.id or _is_shown(
        viewer.role, subject.email_visibility, in_realm=viewer.realm_id == subject.realm_id
    )


@cache
def _is_shown(role: Role, chosen: EmailVisibility, *, in_realm: bool) -> bool:
    """Whether a viewer of that role sees somebody else's address. Lists of all people check it for each account."""
    facts = {fact: role <= least for fact, least in _LEAST_ROLES.items()}
    facts |= {fact: shown_to is chosen for fact, shown_to in SHOWN_TO.items()}
    facts |= {Fact.IS_OWN_ADDRESS: False, Fact.SAME_REALM: in_realm}
    return holds(ADDRESS, facts.__getitem__)


def shown_email(viewer: Account, subject: Account, domain: str) -> str:
    """The address of `subject` that the viewer may see: the delivery email, or the dummy that everybody may know."""
    return subject.delivery_email if may_see_email(viewer, subject) else display_email(subject, domain)


def may_see_bot(viewer: Account, bot: Account) -> bool:
    """Whether the viewer may see the details of managing a bot."""
    return _holds_for_account(BOT, viewer, bot)


def may_see_bot_messages(viewer: Account, bot: Account) -> bool:
    """Whether the viewer may see what a bot sent and received."""
    return _holds_for_account(BOT_MESSAGES, viewer, bot)


def may_see_channel(viewer: Account, channel: Channel, subscriber_ids: Container[int]) -> bool:
    """Whether the viewer may see a channel: that it exists, its name, its topics and its messages.

    `subscriber_ids` says whether the viewer, and a bot's owner, follow it.
    """
    facts = {
        Fact.SAME_REALM: viewer.realm_id == channel.realm_id,
        Fact.IS_PUBLIC: not channel.is_private,
        Fact.IS_SUBSCRIBED: viewer.id in subscriber_ids,
        Fact.OWNER_IS_SUBSCRIBED: viewer.bot_owner_id in subscriber_ids,
    }
    return holds(CHANNEL, lambda fact: facts[fact] if fact in facts else VIEWER_FACTS[fact](viewer))
