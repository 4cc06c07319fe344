"""Calls about channels, which the wire calls streams, and about subscriptions to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keybearer.client import models
from keybearer.client.operations.operation import Operation
from keybearer.client.operations.parameters import merged, required_id

Principals = Sequence[str] | Sequence[int]
"""People, by their emails or IDs."""


def get_streams(**options: Any) -> Operation[models.Streams]:  # noqa: ANN401 - whatever the server takes
    """The channels that the caller may see. Options are Zulip's: `include_public`, `include_all`, …"""
    return Operation("GET", "streams", models.Streams.parse, options)


def get_stream_id(stream: str) -> Operation[models.StreamID]:
    """The ID of a channel, by its name."""
    return Operation("GET", "get_stream_id", models.StreamID.parse, {"stream": stream})


def get_stream_topics(stream_id: int) -> Operation[models.Topics]:
    """The topics of a channel."""
    return Operation("GET", f"users/me/{int(stream_id)}/topics", models.Topics.parse)


def update_stream(request: Mapping[str, Any] | None = None, **changes: Any) -> Operation[models.Answer]:  # noqa: ANN401
    """Change the channel `stream_id`: `description`, `new_name`, `is_private`, …"""
    parameters = merged(request, **changes)
    return Operation("PATCH", f"streams/{required_id(parameters, 'stream_id')}", models.Answer.parse, parameters)


def delete_stream(stream_id: int) -> Operation[models.Answer]:
    """Archive a channel."""
    return Operation("DELETE", f"streams/{int(stream_id)}", models.Answer.parse)


def get_subscriptions(request: Mapping[str, Any] | None = None, **options: Any) -> Operation[models.Subscriptions]:  # noqa: ANN401
    """The channels that the caller is subscribed to."""
    return Operation("GET", "users/me/subscriptions", models.Subscriptions.parse, merged(request, **options))


def add_subscriptions(
    streams: Iterable[Mapping[str, Any] | str],
    *,
    principals: Principals | None = None,
    **options: Any,  # noqa: ANN401 - whatever else the server takes
) -> Operation[models.SubscriptionChange]:
    """Subscribe to channels, by name or as `{"name": …, "description": …}`. Channels that do not exist are created.

    With `principals`, these people are subscribed instead of the caller.
    """
    named = [{"name": one} if isinstance(one, str) else dict(one) for one in streams]
    parameters = {"subscriptions": named, "principals": principals, **options}
    return Operation("POST", "users/me/subscriptions", models.SubscriptionChange.parse, parameters)


def remove_subscriptions(
    streams: Iterable[str], principals: Principals | None = None
) -> Operation[models.SubscriptionChange]:
    """Unsubscribe from channels, by name."""
    parameters = {"subscriptions": list(streams), "principals": principals}
    return Operation("DELETE", "users/me/subscriptions", models.SubscriptionChange.parse, parameters)
