"""What calls about accounts, bots and keys return: frozen values with the fields that programs use.

All else that the server sent is in `answer["name"]`.
Fields that only some servers or some accounts have are None where they were not sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keybearer.client.models.base import Answer, Listing
from keybearer.secret import Secret


@dataclass(frozen=True, kw_only=True)
class ServerSettings(Answer):
    """What a server says of itself to everybody."""

    zulip_version: str
    zulip_feature_level: int = 0
    realm_url: str | None = None
    realm_uri: str | None = None
    realm_name: str | None = None
    email_auth_enabled: bool | None = None
    require_email_format_usernames: bool | None = None
    authentication_methods: Any = None
    external_authentication_methods: Any = None


@dataclass(frozen=True, kw_only=True)
class FetchedKey(Answer):
    """An account's API key, got for its password. `email` is what goes into a zuliprc, whatever was typed."""

    api_key: Secret
    email: str
    user_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class IssuedKey(Answer):
    """An API key that the server has shown or has just made."""

    api_key: Secret


@dataclass(frozen=True, kw_only=True)
class User(Answer):
    """A person or a bot. `email` may be one for show; `delivery_email` is the real one, where the caller may see it.

    `role`: 100 owner, 200 administrator, 300 moderator, 400 member, 600 guest. `bot_type`: 1 generic, 2 incoming
    webhook, 3 outgoing webhook, 4 embedded; None for people.
    """

    user_id: int
    email: str
    full_name: str
    is_bot: bool = False
    is_active: bool = True
    role: int | None = None
    is_owner: bool = False
    is_admin: bool = False
    is_guest: bool = False
    delivery_email: str | None = None
    bot_type: int | None = None
    bot_owner_id: int | None = None
    timezone: str | None = None
    avatar_url: str | None = None
    date_joined: str | None = None


@dataclass(frozen=True, kw_only=True)
class Profile(User):
    """The caller's own account."""

    max_message_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class FoundUser(Answer):
    """An answer about one account."""

    user: User


@dataclass(frozen=True, kw_only=True)
class Members(Listing[User]):
    """The accounts of the organization, the deactivated ones and the bots too."""

    members: tuple[User, ...]

    @property
    def rows(self) -> tuple[User, ...]:
        """The accounts."""
        return self.members


@dataclass(frozen=True, kw_only=True)
class NewUser(Answer):
    """An account that was just made."""

    user_id: int


@dataclass(frozen=True, kw_only=True)
class Bot(Answer):
    """One of the caller's own active bots. Servers since feature level 474 send no key here: `get_bot_api_key()`."""

    username: str
    full_name: str
    user_id: int | None = None
    api_key: Secret | None = None
    bot_type: int | None = None
    is_active: bool = True

    @property
    def email(self) -> str:
        """The bot's address, which the wire calls its user name."""
        return self.username


@dataclass(frozen=True, kw_only=True)
class Bots(Listing[Bot]):
    """The caller's own active bots, the oldest first."""

    bots: tuple[Bot, ...]

    @property
    def rows(self) -> tuple[Bot, ...]:
        """The bots."""
        return self.bots


@dataclass(frozen=True, kw_only=True)
class NewBot(Answer):
    """A bot that was just made."""

    user_id: int
    api_key: Secret | None = None
