"""What calls about accounts return."""

from __future__ import annotations

from keybearer.client.models.base import Answer, Listing, model


@model
class User(Answer):
    """A person or a bot. `email` may be a placeholder; `delivery_email` is the real one, if the caller may see it.

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


@model
class Profile(User):
    """The caller's own account."""

    max_message_id: int | None = None


@model
class FoundUser(Answer):
    """An answer about one account."""

    user: User


@model
class Members(Listing[User]):
    """The accounts of the organization, including bots and deactivated accounts."""

    members: tuple[User, ...]

    @property
    def rows(self) -> tuple[User, ...]:
        """The accounts."""
        return self.members


@model
class NewUser(Answer):
    """An account that was just created."""

    user_id: int
