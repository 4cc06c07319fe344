"""What calls about messages return. Times are seconds since 1970, as the server sends them."""

from __future__ import annotations

from typing import Any

from keybearer.client.models.base import Answer, Listing, model


@model
class SentMessage(Answer):
    """A message that the server has accepted."""

    id: int


@model
class Reaction(Answer):
    """An emoji that an account added to a message."""

    emoji_name: str
    emoji_code: str | None = None
    reaction_type: str | None = None
    user_id: int | None = None


@model
class Message(Answer):
    """A message. `type` is `stream` or `private`; `display_recipient` is the channel's name, or the people."""

    id: int
    type: str
    content: str
    sender_id: int
    sender_email: str | None = None
    sender_full_name: str | None = None
    subject: str = ""
    stream_id: int | None = None
    display_recipient: Any = None
    timestamp: int | None = None
    content_type: str | None = None
    client: str | None = None
    flags: tuple[str, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    is_me_message: bool = False

    @property
    def topic(self) -> str:
        """The topic, which Zulip's API calls `subject`."""
        return self.subject


@model
class FoundMessage(Answer):
    """One message. `raw_content` is its Markdown text."""

    message: Message | None = None
    raw_content: str | None = None


@model
class Messages(Listing[Message]):
    """Messages around an anchor, the oldest first."""

    messages: tuple[Message, ...]
    anchor: int | None = None
    found_anchor: bool = False
    found_oldest: bool = False
    found_newest: bool = False
    history_limited: bool = False

    @property
    def rows(self) -> tuple[Message, ...]:
        """The messages."""
        return self.messages


@model
class RenderedMessage(Answer):
    """Markdown that the server has rendered as HTML."""

    rendered: str


@model
class UploadedFile(Answer):
    """A file on the server. Link to it in a message as `[name](url)`; the URL is a path on the server."""

    url: str | None = None
    uri: str | None = None
    filename: str | None = None
