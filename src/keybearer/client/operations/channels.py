"""Calls about channels, which the wire calls streams, and about subscriptions to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keybearer.client.models.base import Answer
from keybearer.client.models.channels import StreamID, Streams, SubscriptionChange, Subscriptions, Topics
from keybearer.client.operations.operation import Operation
from keybearer.client.operations.parameters import merged, required_id

Principals = Sequence[str] | Sequence[int]
"""People, by their emails or IDs."""


def get_streams(**options: Any) -> Operation[Streams]:  # noqa: ANN401 - whatever the server takes
    """The channels that the caller may see. Options are Zulip's: `include_public`, `include_all`, …"""
    return Operation("GET", "streams", Streams.parse, options)


def get_stream_id(stream: str) -> Operation[StreamID]:
    """The ID of a channel, by its name."""
    return Operation("GET", "get_stream_id", StreamID.parse, {"stream": stream})


def get_stream_topics(stream_id: int) -> Operation[Topics]:
    """The topics of a channel."""
    return Operation("GET", f"users/me/{int(stream_id)}/topics", Topics.parse)


def update_stream(request: Mapping[str, Any] | None = None, **changes: Any) -> Operation[Answer]:  # noqa: ANN401
    """Change the channel `stream_id`: `description`, `new_name`, `is_private`, …"""
    parameters = merged(request, **changes)
    return Operation("PATCH", f"streams/{required_id(parameters, 'stream_id')}", Answer.parse, parameters)


def delete_stream(stream_id: int) -> Operation[Answer]:
    """Archive a channel."""
    return Operation("DELETE", f"streams/{int(stream_id)}", Answer.parse)


def get_subscriptions(request: Mapping[str, Any] | None = None, **options: Any) -> Operation[Subscriptions]:  # noqa: ANN401
    """The channels that the caller is subscribed to."""
    return Operation("GET", "users/me/subscriptions", Subscriptions.parse, merged(request, **options))


def add_subscriptions(
    streams: Iterable[Mapping[str, Any] | str],
    *,
    principals: Principals | None = None,
    **options: Any,  # noqa: ANN401 - whatever else the server takes
) -> Operation[SubscriptionChange]:
    """Subscribe to channels, by name or as `{"name": …, "description": …}`. Channels that do not exist are created.

    With `principals`, these people are subscribed instead of the caller.
    """
    named = [{"name": one} if isinstance(one, str) else dict(one) for one in streams]
    parameters = {"subscriptions": named, "principals": principals, **options}
    return Operation("POST", "users/me/subscriptions", SubscriptionChange.parse, parameters)


def remove_subscriptions(streams: Iterable[str], principals: Principals | None = None) -> Operation[SubscriptionChange]:
    """Unsubscribe from channels, by name."""
    parameters = {"subscriptions": list(streams), "principals": principals}
    return Operation("DELETE", "users/me/subscriptions", SubscriptionChange.parse, parameters)
