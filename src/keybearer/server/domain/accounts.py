"""Accounts (people and bots), and the rules for their names and addresses."""

from __future__ import annotations

import re
from datetime import datetime
from enum import IntEnum
from functools import cache
from typing import NamedTuple
from zoneinfo import available_timezones

from keybearer.server.domain.bots import BotType
from keybearer.server.domain.errors import Refused

NAME_LENGTH = range(2, 101)
NAME_FORBIDDEN = set('*`\\>"@')
EMAIL_MAX_LENGTH = 254

_USER = r"[A-Z0-9!#$%&'*+/=?^_`{}|~-]+(\.[A-Z0-9!#$%&'*+/=?^_`{}|~-]+)*"
_DOMAIN = r"([A-Z0-9]([A-Z0-9-]{0,61}[A-Z0-9])?\.)+[A-Z0-9-]{2,63}(?<!-)"
_EMAIL = re.compile(f"{_USER}@({_DOMAIN}|localhost)", re.IGNORECASE | re.ASCII)


class Role(IntEnum):
    """Zulip's numbers of roles. A smaller number means more rights."""

    OWNER = 100
    ADMINISTRATOR = 200
    MODERATOR = 300
    MEMBER = 400
    GUEST = 600

    @property
    def label(self) -> str:
        """The word that people read, as it stands in the middle of a sentence."""
        return self.name.lower()


class EmailVisibility(IntEnum):
    """Who sees the delivery email, by Zulip's numbers."""

    EVERYONE = 1
    MEMBERS = 2
    ADMINISTRATORS = 3
    NOBODY = 4
    MODERATORS = 5


class BotOwner(NamedTuple):
    """What a bot's rights depend on: its owner's role, and whether the owner is active."""

    role: Role
    is_active: bool


class Account(NamedTuple):
    """A person or a bot. `delivery_email` is the address that HTTP Basic and every zuliprc use.

    `granted_role` is the role that the account was given. `owner` is the bot's owner, read at the same moment. This is
    a tuple because a tuple is created several times faster than a dataclass, and every call creates one.
    """

    id: int
    realm_id: int
    delivery_email: str
    full_name: str
    granted_role: Role
    date_joined: datetime
    is_active: bool = True
    bot_type: BotType | None = None
    bot_owner_id: int | None = None
    timezone: str = ""
    avatar_version: int = 1
    email_visibility: EmailVisibility = EmailVisibility.EVERYONE
    login_mails: bool = True
    owner: BotOwner | None = None

    @property
    def role(self) -> Role:
        """The role in effect: a bot is never more than its owner currently is."""
        owner = self.owner
        return self.granted_role if owner is None or owner.role < self.granted_role else owner.role

    @property
    def lacks_active_owner(self) -> bool:
        """Whether this is a bot whose owner is missing or deactivated. It may do nothing until somebody takes it
        over."""
        return self.bot_type is not None and (self.owner is None or not self.owner.is_active)

    @property
    def is_bot(self) -> bool:
        """Bots have a type; people have none."""
        return self.bot_type is not None

    @property
    def person_id(self) -> int:
        """The id of the person behind the account: a bot's owner, or else the account itself. What only one person may
        use up is counted under it.
        """
        return self.id if self.bot_owner_id is None else self.bot_owner_id

    @property
    def is_administrator(self) -> bool:
        """Owners are administrators too."""
        return self.role <= Role.ADMINISTRATOR

    @property
    def is_guest(self) -> bool:
        """Guests see only the channels that they follow. They manage nothing."""
        return self.role == Role.GUEST

    @property
    def is_owner(self) -> bool:
        """Whether this is an owner of the organization. (A bot's owner is its `bot_owner_id`.)"""
        return self.role == Role.OWNER

    @property
    def is_active_owner(self) -> bool:
        """Whether the account is an active person who owns the organization. There is always at least one."""
        return self.is_owner and self.is_active and not self.is_bot

    def owned_by(self, owner: Account) -> Account:
        """This bot with another owner."""
        return self._replace(bot_owner_id=owner.id, owner=BotOwner(owner.role, owner.is_active))


def checked_role(number: int) -> Role:
    """The role with that number. Raises Refused with Zulip's words if there is none."""
    try:
        return Role(number)
    except ValueError:
        raise Refused("Invalid role") from None


def display_email(account: Account, domain: str) -> str:
    """The address that everybody may know. For people who hide theirs, it is a dummy at the realm's bot domain."""
    if account.email_visibility is EmailVisibility.EVERYONE:
        return account.delivery_email
    return f"user{account.id}@{domain}"


def avatar_url(account: Account) -> str:
    """The URL of the account's picture. The server draws it; Gravatar is never asked."""
    return f"/avatar/{account.id}?version={account.avatar_version}"


def id_of_display_email(email: str, domain: str) -> int | None:
    """The id of the account that this dummy address stands for; None for any other address."""
    match = re.fullmatch(r"user([1-9][0-9]{0,8})@(.+)", email.strip(), re.IGNORECASE | re.ASCII)
    return int(match[1]) if match is not None and match[2].lower() == domain.lower() else None


def check_is_no_display_email(email: str, domain: str) -> None:
    """Raise Refused for a dummy address. It stands for an account that hides its own address, so nobody else can have
    it."""
    if id_of_display_email(email, domain) is not None:
        raise Refused("This email address is reserved: it stands for an account that hides its own address.")


def email_key(email: str) -> str:
    """The form in which an address is unique and looked up: lower case, without surrounding blanks.

    PostgreSQL cannot store the character NUL, so a text that contains one becomes something that is not an address.
    """
    return email.strip().casefold().replace("\x00", "\N{REPLACEMENT CHARACTER}")


def is_email(text: str) -> bool:
    """Whether `text` is an address by Django's rule, which Zulip applies."""
    return len(text) <= EMAIL_MAX_LENGTH and _EMAIL.fullmatch(text) is not None


def checked_email(text: str) -> str:
    """`text` without surrounding blanks. Raises Refused unless it is an address that a zuliprc can hold."""
    email = text.strip()
    if not is_email(email):
        raise Refused("Enter a valid email address.")
    if email.startswith("#"):
        raise Refused("This email address begins with #: programs that read zuliprc files take it for a comment.")
    return email


def checked_full_name(text: str) -> str:
    """`text` without surrounding blanks. Raises Refused with Zulip's words unless it is a valid full name."""
    name = text.strip()
    if len(name) < NAME_LENGTH.start:
        raise Refused("Name too short!")
    if len(name) >= NAME_LENGTH.stop:
        raise Refused("Name too long!")
    if not name.isprintable() or NAME_FORBIDDEN & set(name):
        raise Refused("Invalid characters in name!")
    if re.search(r"\|[0-9]+$", name):
        raise Refused("Invalid format!")
    return name


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def checked_timezone(text: str) -> str:
    """`text` if it is empty or the name of an IANA time zone. Raises Refused with Zulip's words otherwise."""
    if text and text not in _timezones():
        raise Refused("Invalid timezone: Value error, Not a recognized time zone")
    return text
