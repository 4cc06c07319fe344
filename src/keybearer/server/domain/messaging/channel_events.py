"""Channels and subscriptions as Zulip's wire shows them, in answers and in events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, Subject, without_flags
from keybearer.server.domain.messaging.channels import Channel, Followed, PostPolicy, Subscription
from keybearer.server.domain.realms import SystemGroup

POSTERS = {
    PostPolicy.EVERYONE: SystemGroup.EVERYONE,
    PostPolicy.ADMINISTRATORS: SystemGroup.ADMINISTRATORS,
    PostPolicy.FULL_MEMBERS: SystemGroup.FULL_MEMBERS,
    PostPolicy.MODERATORS: SystemGroup.MODERATORS,
}
"""The group of accounts that may post, since feature level 333."""


def channel_fields(channel: Channel) -> dict[str, object]:
    """A channel for everybody who may know about it."""
    return {
        "stream_id": channel.id,
        "name": channel.name,
        "description": channel.description,
        "rendered_description": channel.rendered_description,
        "date_created": int(channel.created_at.timestamp()),
        "creator_id": channel.creator_id,
        "invite_only": channel.is_private,
        "is_web_public": False,
        "is_archived": channel.is_archived,
        "is_recently_active": True,
        "history_public_to_subscribers": True,
        "message_retention_days": None,
        "first_message_id": channel.first_message_id,
        "stream_post_policy": channel.post_policy.value,
        "is_announcement_only": channel.post_policy is PostPolicy.ADMINISTRATORS,
        "can_send_message_group": POSTERS[channel.post_policy].value,
        "can_administer_channel_group": SystemGroup.ADMINISTRATORS.value,
        "can_add_subscribers_group": SystemGroup.MEMBERS.value,
        "can_remove_subscribers_group": SystemGroup.ADMINISTRATORS.value,
        "can_subscribe_group": SystemGroup.NOBODY.value,
        "can_create_topic_group": SystemGroup.EVERYONE.value,
        "can_delete_any_message_group": SystemGroup.ADMINISTRATORS.value,
        "can_delete_own_message_group": SystemGroup.EVERYONE.value,
        "can_move_messages_out_of_channel_group": SystemGroup.ADMINISTRATORS.value,
        "can_move_messages_within_channel_group": SystemGroup.MEMBERS.value,
        "can_resolve_topics_group": SystemGroup.MEMBERS.value,
        "folder_id": None,
        "topics_policy": "inherit",
        "stream_weekly_traffic": None,
        "subscriber_count": 0,
    }


def followed_fields(followed: Followed, *, with_subscribers: bool) -> dict[str, object]:
    """A channel with the viewer's own subscription (if there is one) and, if requested, its subscribers."""
    fields = channel_fields(followed.channel)
    fields["subscriber_count"] = followed.subscriber_count
    if followed.subscription is not None:
        fields |= subscription_fields(followed.subscription)
        fields["email_address"] = ""
    if with_subscribers:
        fields["subscribers"] = sorted(followed.subscriber_ids)
    return fields


def subscription_fields(subscription: Subscription) -> dict[str, object]:
    """What an account chose for a channel it follows."""
    return {
        "color": subscription.color,
        "is_muted": subscription.is_muted,
        "in_home_view": not subscription.is_muted,
        "pin_to_top": subscription.pin_to_top,
        "desktop_notifications": subscription.desktop_notifications,
        "audible_notifications": subscription.audible_notifications,
        "push_notifications": subscription.push_notifications,
        "email_notifications": subscription.email_notifications,
        "wildcard_mentions_notify": subscription.wildcard_mentions_notify,
    }


def created(channel: Channel) -> Event:
    """A channel was created. A private channel is announced only to its creator, until somebody else subscribes."""
    recipients = [channel.creator_id] if channel.is_private and channel.creator_id else None
    return _stream("create", channel.id, {"streams": [channel_fields(channel)]}, recipients)


def changed(before: Channel, after: Channel, subscribers: Iterable[int]) -> Iterator[Event]:
    """A channel was renamed, described or restricted: one event for each property.

    The name of a channel while it was private is only for its subscribers.
    """
    recipients = list(subscribers) if before.is_private else None
    was, now = channel_fields(before), channel_fields(after)
    for name in ("name", "description", "invite_only", "stream_post_policy", "can_send_message_group"):
        if was[name] == now[name]:
            continue
        fields = {"property": name, "value": now[name], "stream_id": after.id, "name": before.name}
        if name == "description":
            fields["rendered_description"] = after.rendered_description
        if name == "invite_only":
            fields |= {each: now[each] for each in ("history_public_to_subscribers", "is_web_public")}
        yield _stream("update", after.id, fields, recipients)


def opened(channel: Channel, newcomers: Iterable[int], subscribers: Iterable[int]) -> Iterator[Event]:
    """A channel became public: the event for people who could not see it before. Guests, who still cannot see it, get
    none."""
    recipients = list(newcomers)
    yield _stream("create", channel.id, {"streams": [channel_fields(channel)]}, recipients)
    peers = {"stream_ids": [channel.id], "user_ids": sorted(subscribers)}
    yield _subscription("peer_add", Subject((channel.id,)), peers, recipients)


def defaults_changed(channel_ids: Sequence[int]) -> Event:
    """New people now follow these channels. Guests who cannot see all of them get no event."""
    fields = {"type": "default_streams", "default_streams": sorted(channel_ids)}
    return Event("default_streams", fields, Subject(tuple(channel_ids)))


def archived(channel: Channel) -> Event:
    """A channel was archived."""
    gone = channel_fields(replace(channel, is_archived=True))
    return _stream("delete", channel.id, {"streams": [gone], "stream_ids": [channel.id]})


def subscribed(channel: Channel, subscribers: frozenset[int], subscriptions: Iterable[Subscription]) -> Iterator[Event]:
    """Accounts subscribed to a channel: events for them, to whom a private channel is new, and for everybody who sees
    it.

    The accounts differ only in the color. There is one event per color, not one per account, because each event lists
    all subscribers.
    """
    by_color: dict[str, list[Subscription]] = {}
    for each in subscriptions:
        by_color.setdefault(each.color, []).append(each)
    account_ids = [each.account_id for same in by_color.values() for each in same]
    newcomers = [each for each in account_ids if each != channel.creator_id]
    if channel.is_private and newcomers:
        yield _stream("create", channel.id, {"streams": [channel_fields(channel)]}, newcomers)
    for same in by_color.values():
        rows = [followed_fields(Followed(channel, subscribers, same[0]), with_subscribers=True)]
        recipients = [each.account_id for each in same]
        yield _subscription("add", Subject((channel.id,)), {"subscriptions": rows}, recipients)
    yield peers_subscribed(channel.id, account_ids)


def peers_subscribed(channel_id: int, account_ids: Sequence[int]) -> Event:
    """Accounts subscribed to a channel, for everybody who sees it."""
    fields = {"stream_ids": [channel_id], "user_ids": list(account_ids)}
    return _subscription("peer_add", Subject((channel_id,)), fields)


def unsubscribed(channel: Channel, account_ids: Sequence[int]) -> Iterator[Event]:
    """Accounts unsubscribed: an event for them, who may no longer see the channel, and one for everybody who sees
    it."""
    left = [{"stream_id": channel.id, "name": channel.name}]
    yield _subscription("remove", OPEN_TO_ALL, {"subscriptions": left}, account_ids)
    fields = {"stream_ids": [channel.id], "user_ids": list(account_ids)}
    yield _subscription("peer_remove", Subject((channel.id,)), fields)


def setting_changed(account_id: int, channel_id: int, name: str, value: object) -> Iterator[Event]:
    """An account changed a setting of its subscription. Muting is also reported under its old name."""
    changes = [(name, value)]
    if name == "is_muted":
        changes.append(("in_home_view", not value))
    for each, chosen in changes:
        fields = {"stream_id": channel_id, "property": each, "value": chosen}
        yield _subscription("update", Subject((channel_id,)), fields, [account_id])


def _stream(op: str, channel_id: int, fields: Mapping[str, object], account_ids: Iterable[int] | None = None) -> Event:
    recipients = None if account_ids is None else without_flags(account_ids)
    return Event("stream", {"type": "stream", "op": op, **fields}, Subject((channel_id,)), recipients)


def _subscription(
    op: str, about: Subject, fields: Mapping[str, object], account_ids: Iterable[int] | None = None
) -> Event:
    recipients = None if account_ids is None else without_flags(account_ids)
    return Event("subscription", {"type": "subscription", "op": op, **fields}, about, recipients)
