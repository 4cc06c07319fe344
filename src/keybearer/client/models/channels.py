"""What calls about channels return."""

from __future__ import annotations

from typing import Any

from keybearer.client.models.base import Answer, Listing, model


@model
class Stream(Answer):
    """A channel, which Zulip's API calls a stream."""

    stream_id: int
    name: str
    description: str = ""
    invite_only: bool = False
    is_archived: bool = False
    is_web_public: bool = False


@model
class Streams(Listing[Stream]):
    """Channels of the organization that the caller may see."""

    streams: tuple[Stream, ...]

    @property
    def rows(self) -> tuple[Stream, ...]:
        """The channels."""
        return self.streams


@model
class Subscription(Stream):
    """A channel that the caller is subscribed to."""

    color: str | None = None
    is_muted: bool = False
    pin_to_top: bool = False


@model
class Subscriptions(Listing[Subscription]):
    """The channels that the caller is subscribed to."""

    subscriptions: tuple[Subscription, ...]

    @property
    def rows(self) -> tuple[Subscription, ...]:
        """The channels."""
        return self.subscriptions


@model
class SubscriptionChange(Answer):
    """Who was subscribed or unsubscribed: the names of the channels, by account."""

    subscribed: Any = None
    already_subscribed: Any = None
    unauthorized: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    not_removed: tuple[str, ...] = ()


@model
class StreamID(Answer):
    """The ID of a channel."""

    stream_id: int


@model
class Topic(Answer):
    """A topic of a channel and its newest message."""

    name: str
    max_id: int


@model
class Topics(Listing[Topic]):
    """The topics of a channel, the most recent first."""

    topics: tuple[Topic, ...]

    @property
    def rows(self) -> tuple[Topic, ...]:
        """The topics."""
        return self.topics
