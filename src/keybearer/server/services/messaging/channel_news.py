"""What clients are told when channels and those who follow them change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from keybearer.server.domain.event_queues import Event
from keybearer.server.domain.messaging.channels import Channel, Followed
from keybearer.server.domain.messaging.message_events import channel_fields, followed_fields
from keybearer.server.services.context import Change
from keybearer.server.storage.messaging import channels


def _told(account_ids: Iterable[int] | None) -> dict[int, Sequence[str]] | None:
    return None if account_ids is None else dict.fromkeys(account_ids, ())


def tell_of_channel(change: Change, channel: Channel) -> None:
    """A channel was made. Only its maker knows of a private one until somebody else follows it."""
    audience = [channel.creator_id] if channel.is_private and channel.creator_id else None
    fields = {"type": "stream", "op": "create", "streams": [channel_fields(channel)]}
    change.tell(Event("stream", fields, _told(audience)))


def tell_follower(change: Change, followed: Followed) -> None:
    """An account follows a channel: the account is told what it follows."""
    assert followed.subscription is not None
    account_id = followed.subscription.account_id
    if followed.channel.is_private and account_id != followed.channel.creator_id:
        fields: dict[str, object] = {"type": "stream", "op": "create", "streams": [channel_fields(followed.channel)]}
        change.tell(Event("stream", fields, {account_id: ()}))
    subscription = followed_fields(followed, with_subscribers=True)
    fields = {"type": "subscription", "op": "add", "subscriptions": [subscription]}
    change.tell(Event("subscription", fields, {account_id: ()}))


def tell_of_followers(
    change: Change, channel_ids: Sequence[int], account_ids: Sequence[int], *, audience: Iterable[int] | None = None
) -> None:
    """Accounts follow channels: everybody (or the `audience`) is told that they do."""
    fields = {
        "type": "subscription",
        "op": "peer_add",
        "stream_ids": list(channel_ids),
        "user_ids": list(account_ids),
    }
    told = None if audience is None else set(audience) - set(account_ids)
    change.tell(Event("subscription", fields, _told(told)))


def tell_of_leaving(
    change: Change, channel: Channel, account_ids: Sequence[int], audience: Iterable[int] | None
) -> None:
    """Accounts follow a channel no more: they are told, and everybody (or the `audience`) is."""
    left = [{"stream_id": channel.id, "name": channel.name}]
    fields: dict[str, object] = {"type": "subscription", "op": "remove", "subscriptions": left}
    change.tell(Event("subscription", fields, _told(account_ids)))
    fields = {"type": "subscription", "op": "peer_remove", "stream_ids": [channel.id], "user_ids": list(account_ids)}
    change.tell(Event("subscription", fields, _told(audience)))


def tell_of_choice(change: Change, account_id: int, channel_id: int, name: str, value: object) -> None:
    """An account chose something for a channel it follows; muting is told in its old words too."""
    choices = [(name, value)]
    if name == "is_muted":
        choices.append(("in_home_view", not value))
    for each, chosen in choices:
        fields = {"type": "subscription", "op": "update", "stream_id": channel_id, "property": each, "value": chosen}
        change.tell(Event("subscription", fields, {account_id: ()}))


async def tell_of_changes(change: Change, before: Channel, after: Channel) -> None:
    """A channel was renamed, described or restricted: one event for each property."""
    audience = None
    if after.is_private:
        audience = (await channels.find_subscribers(change.connection, [after.id]))[after.id]
    was, now = channel_fields(before), channel_fields(after)
    for name in ("name", "description", "invite_only", "stream_post_policy", "can_send_message_group"):
        if was[name] == now[name]:
            continue
        fields = {
            "type": "stream",
            "op": "update",
            "property": name,
            "value": now[name],
            "stream_id": after.id,
            "name": before.name,
        }
        if name == "description":
            fields["rendered_description"] = after.rendered_description
        change.tell(Event("stream", fields, _told(audience)))


async def tell_of_archiving(change: Change, channel: Channel) -> None:
    """A channel was archived."""
    audience = None
    if channel.is_private:
        audience = (await channels.find_subscribers(change.connection, [channel.id]))[channel.id]
    gone = channel_fields(replace(channel, is_archived=True))
    fields = {"type": "stream", "op": "delete", "streams": [gone], "stream_ids": [channel.id]}
    change.tell(Event("stream", fields, _told(audience)))
