"""What calls about messages, channels and events return: frozen values with the fields that bots use.

All else the server sent is in `answer["name"]`. Times are seconds since 1970, as the server sends them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keybearer.client.models.base import Answer, Listing


@dataclass(frozen=True, kw_only=True)
class SentMessage(Answer):
    """A message that the server has accepted."""

    id: int


@dataclass(frozen=True, kw_only=True)
class Reaction(Answer):
    """An emoji that an account put under a message."""

    emoji_name: str
    emoji_code: str | None = None
    reaction_type: str | None = None
    user_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Message(Answer):
    """A message. `type` is `stream` or `private` on the wire; `display_recipient` a channel's name, or the people."""

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
        """The topic, which the wire calls the subject."""
        return self.subject


@dataclass(frozen=True, kw_only=True)
class FoundMessage(Answer):
    """One message. `raw_content` is its Markdown text."""

    message: Message | None = None
    raw_content: str | None = None


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class RenderedMessage(Answer):
    """Markdown made into HTML by the server."""

    rendered: str


@dataclass(frozen=True, kw_only=True)
class UploadedFile(Answer):
    """A file on the server. Link to it in a message as `[name](url)`; the address is one of the server's paths."""

    url: str | None = None
    uri: str | None = None
    filename: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stream(Answer):
    """A channel."""

    stream_id: int
    name: str
    description: str = ""
    invite_only: bool = False
    is_archived: bool = False
    is_web_public: bool = False


@dataclass(frozen=True, kw_only=True)
class Streams(Listing[Stream]):
    """Channels of the organization that the caller may see."""

    streams: tuple[Stream, ...]

    @property
    def rows(self) -> tuple[Stream, ...]:
        """The channels."""
        return self.streams


@dataclass(frozen=True, kw_only=True)
class Subscription(Stream):
    """A channel that the caller follows."""

    color: str | None = None
    is_muted: bool = False
    pin_to_top: bool = False


@dataclass(frozen=True, kw_only=True)
class Subscriptions(Listing[Subscription]):
    """The channels that the caller follows."""

    subscriptions: tuple[Subscription, ...]

    @property
    def rows(self) -> tuple[Subscription, ...]:
        """The channels."""
        return self.subscriptions


@dataclass(frozen=True, kw_only=True)
class SubscriptionChange(Answer):
    """Who was subscribed or unsubscribed, by account; the names of channels are the lists."""

    subscribed: Any = None
    already_subscribed: Any = None
    unauthorized: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    not_removed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StreamID(Answer):
    """The number of a channel."""

    stream_id: int


@dataclass(frozen=True, kw_only=True)
class Topic(Answer):
    """A topic of a channel and its newest message."""

    name: str
    max_id: int


@dataclass(frozen=True, kw_only=True)
class Topics(Listing[Topic]):
    """The topics of a channel, the most recent first."""

    topics: tuple[Topic, ...]

    @property
    def rows(self) -> tuple[Topic, ...]:
        """The topics."""
        return self.topics


@dataclass(frozen=True, kw_only=True)
class Queue(Answer):
    """An event queue, and the state that was asked for with it (by the wire's names)."""

    queue_id: str
    last_event_id: int = -1
    zulip_feature_level: int = 0
    event_queue_longpoll_timeout_seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class Event(Answer):
    """Something that happened. `message` is there for events of type `message`."""

    id: int
    type: str
    op: str | None = None
    message: Message | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Events(Listing[Event]):
    """What one look into an event queue brought."""

    events: tuple[Event, ...]

    @property
    def rows(self) -> tuple[Event, ...]:
        """The events, the oldest first."""
        return self.events
