"""What calls about bots and API keys return."""

from __future__ import annotations

from keybearer.client.models.base import Answer, Listing, model
from keybearer.secret import Secret


@model
class Bot(Answer):
    """One of the caller's own active bots. Zulip since feature level 474 sends no key: use `get_bot_api_key()`."""

    username: str
    full_name: str
    user_id: int | None = None
    api_key: Secret | None = None
    bot_type: int | None = None
    is_active: bool = True

    @property
    def email(self) -> str:
        """The bot's email, which Zulip's API calls `username`."""
        return self.username


@model
class Bots(Listing[Bot]):
    """The caller's own active bots, the oldest first."""

    bots: tuple[Bot, ...]

    @property
    def rows(self) -> tuple[Bot, ...]:
        """The bots."""
        return self.bots


@model
class NewBot(Answer):
    """A bot that was just created."""

    user_id: int
    api_key: Secret | None = None


@model
class IssuedKey(Answer):
    """An API key that the server has shown or has just issued."""

    api_key: Secret
