"""Channels: create, follow, change and leave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import NotPermitted, Refused, check_cap
from keybearer.server.domain.limits import MOST_SUBSCRIBERS, Cap
from keybearer.server.domain.links import Joins
from keybearer.server.domain.messaging import channel_events
from keybearer.server.domain.messaging.channels import (
    COLORS,
    DEFAULT_CHANNEL,
    Channel,
    Followed,
    PostPolicy,
    Subscription,
    check_may_be_default,
    checked_description,
    checked_name,
    invalid_channel,
    may_administer,
)
from keybearer.server.domain.pacing import paced
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import CHANNELS
from keybearer.server.services.messaging.markdown import render_for
from keybearer.server.storage import accounts
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import channels, topics


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """The properties of a channel to change. None leaves one as it is.

    `post_policy_before` is what the client believes. If the current policy is another, the change is refused.
    """

    name: str | None = None
    description: str | None = None
    is_private: bool | None = None
    post_policy: PostPolicy | None = None
    post_policy_before: PostPolicy | None = None
    is_default: bool | None = None


async def create_default(change: Change, owner: Account) -> None:
    """Give a new organization its first channel, which every new person follows."""
    (channel,) = await channels.add(
        change.connection, [Channel(0, owner.realm_id, DEFAULT_CHANNEL, change.now, is_default=True)]
    )
    await channels.subscribe(change.connection, [Subscription(owner.id, channel.id, COLORS[0])])


async def check_seen(connection: AsyncConnection, viewer: Account, channel_ids: Sequence[int]) -> None:
    """Raise Refused, with Zulip's words for invitations, unless the viewer sees all of these channels."""
    usable = await _usable_ids(connection, viewer, channel_ids)
    for channel_id in channel_ids:
        if channel_id not in usable:
            raise Refused(f"Invalid channel ID {channel_id}. No invites were sent.")


async def _usable_ids(connection: AsyncConnection, viewer: Account, channel_ids: Sequence[int]) -> Sequence[int]:
    seen = await channels.find_all_seen(connection, viewer) if channel_ids else ()
    wanted = set(channel_ids)
    return [channel.id for channel in seen if channel.id in wanted and not channel.is_archived]


async def follow_first(change: Change, account: Account, joins: Joins, *, invited_by: int | None = None) -> None:
    """Subscribe a new person to channels: those in their invitation that its sender sees now, and the default
    channels.
    """
    connection = change.connection
    inviter = None if invited_by is None else await accounts.find(connection, invited_by)
    ids = [] if inviter is None else list(await _usable_ids(connection, inviter, joins.channel_ids))
    if joins.with_defaults:
        ids += [each for each in await channels.find_default_ids(connection, account.realm_id) if each not in ids]
    colored = [Subscription(account.id, each, COLORS[place % len(COLORS)]) for place, each in enumerate(ids)]
    await channels.subscribe(connection, colored)
    change.tell(*(channel_events.peers_subscribed(channel_id, [account.id]) for channel_id in ids))


async def find_followed(context: Context, caller: Caller, *, with_subscribers: bool) -> list[Followed]:
    """The channels that the actor follows, by name."""
    async with context.viewing(caller) as view:
        known = await survey(view.connection, view.actor.account, with_subscribers=with_subscribers)
    return [each for each in known if each.subscription is not None]


async def survey(
    connection: AsyncConnection, viewer: Account, *, with_subscribers: bool = False, archived_too: bool = False
) -> list[Followed]:
    """All channels that the viewer may see, by name. `archived_too` includes archived channels.

    Raises Refused if somebody asks for more subscribers than one answer has room for.
    """
    mine = await channels.find_subscriptions(connection, viewer.id)
    seen = [each for each in await channels.find_all_seen(connection, viewer) if archived_too or not each.is_archived]
    ids = [channel.id for channel in seen]
    if with_subscribers and await channels.count_followers(connection, ids, most=MOST_SUBSCRIBERS) > MOST_SUBSCRIBERS:
        raise Refused(
            f"The channels have more than {MOST_SUBSCRIBERS} subscribers together. Ask without include_subscribers. "
            "The subscribers of one channel are at streams/{stream_id}/members."
        )
    subscribers = await channels.find_subscribers(connection, ids) if with_subscribers else {}
    counted = {} if with_subscribers else await channels.count_subscribers(connection, ids)
    of_owner = await channels.find_subscriptions(connection, viewer.bot_owner_id) if viewer.bot_owner_id else ()
    # Archived channels come last.
    seen.sort(key=lambda channel: (channel.is_archived, channel.name.casefold()))
    return await paced(
        lambda channel: Followed(
            channel,
            subscribers.get(channel.id, frozenset()),
            mine.get(channel.id),
            counted=None if with_subscribers else counted.get(channel.id, 0),
            owner_follows=channel.id in of_owner,
        ),
        seen,
    )


async def find_known(context: Context, caller: Caller, *, archived_too: bool = False) -> list[Followed]:
    """All channels that the actor may see, by name."""
    async with context.viewing(caller) as view:
        return await survey(view.connection, view.actor.account, archived_too=archived_too)


async def find(context: Context, caller: Caller, channel_id: int) -> Followed:
    """One channel that the actor may see. Raises Refused with Zulip's words."""
    async with context.viewing(caller) as view:
        connection, viewer = view.connection, view.actor.account
        channel = await _find(connection, viewer, channel_id)
        mine = await channels.find_subscriptions_to(connection, viewer.id, [channel_id])
        counted = await channels.count_subscribers(connection, [channel_id])
    return Followed(channel, frozenset(), mine.get(channel_id), counted=counted.get(channel_id, 0))


async def find_subscribers(context: Context, caller: Caller, channel_id: int) -> frozenset[int]:
    """The followers of a channel that the actor may see. Raises Refused with Zulip's words."""
    async with context.viewing(caller) as view:
        await _find(view.connection, view.actor.account, channel_id)
        return (await channels.find_subscribers(view.connection, [channel_id]))[channel_id]


async def _find(connection: AsyncConnection, viewer: Account, channel_id: int) -> Channel:
    channel = await channels.find_seen(connection, viewer, channel_id)
    if channel is None:
        raise invalid_channel()
    return channel


async def find_by_name(context: Context, caller: Caller, name: str) -> Channel:
    """A channel that the actor may see. Raises Refused with Zulip's words."""
    async with context.viewing(caller) as view:
        channel = await channels.find_seen(view.connection, view.actor.account, name)
    if channel is None or channel.is_archived:
        raise Refused(f"Invalid channel name '{name}'")
    return channel


async def find_topics(context: Context, caller: Caller, channel_id: int) -> Sequence[tuple[str, int]]:
    """The topics of a channel, each with its newest message, newest first."""
    async with context.viewing(caller) as view:
        await _find(view.connection, view.actor.account, channel_id)
        return await topics.find_all(view.connection, channel_id)


async def change(context: Context, caller: Caller, channel_id: int, wanted: ChannelChange) -> None:
    """Rename, describe or restrict a channel. Administrators and its creator may. Raises Refused."""
    description = None if wanted.description is None else checked_description(wanted.description)
    rendered = None if description is None else (await render_for(context, caller, description)).html
    async with context.change(caller) as change:
        actor = change.actor
        before = await _administered(change, actor, channel_id)
        after = before
        if wanted.name is not None:
            after = replace(after, name=await _free_name(change, before, wanted.name))
        if description is not None and rendered is not None:
            after = replace(after, description=description, rendered_description=rendered)
        if wanted.is_private is not None:
            after = replace(after, is_private=wanted.is_private)
        if wanted.post_policy is not None:
            if wanted.post_policy_before not in (None, before.post_policy):
                raise Refused("'old' value does not match the expected value.", code="EXPECTATION_MISMATCH")
            after = replace(after, post_policy=wanted.post_policy)
        if wanted.is_default is not None:
            after = replace(after, is_default=wanted.is_default)
        if after.is_default and (after.is_private or not before.is_default):
            check_may_be_default(actor.account, is_private=after.is_private)
        if after != before:
            await channels.save(change.connection, after)
            subscribers = await channels.find_active_subscribers(change.connection, after.id)
            change.tell(*channel_events.changed(before, after, subscribers))
            if before.is_private and not after.is_private:
                active = await accounts.find_active_ids(change.connection, after.realm_id)
                newcomers = [each for each in active if each not in subscribers]
                change.tell(*channel_events.opened(after, newcomers, subscribers))
        if after.is_default != before.is_default:
            await tell_defaults(change, after.realm_id)


async def tell_defaults(change: Change, realm_id: int) -> None:
    """Tell clients which channels new people now follow. Raises Refused if these are too many."""
    channel_ids = await channels.find_default_ids(change.connection, realm_id)
    check_cap(Cap.DEFAULT_CHANNELS, len(channel_ids))
    change.tell(channel_events.defaults_changed(channel_ids))


async def _free_name(change: Change, channel: Channel, name: str) -> str:
    name = checked_name(name)
    if name == channel.name:
        raise Refused("Channel already has that name.")
    other = await channels.find_by_name(change.connection, channel.realm_id, name)
    if other is not None and other.id != channel.id:
        raise Refused("Channel name already in use.")
    return name


async def archive(context: Context, caller: Caller, channel_id: int) -> None:
    """Archive a channel: it is no longer listed and accepts no messages. Its messages stay for the accounts that have
    them.
    """
    async with context.change(caller) as change:
        actor = change.actor
        channel = await _administered(change, actor, channel_id)
        await channels.save(change.connection, replace(channel, is_archived=True, is_default=False))
        change.tell(channel_events.archived(channel))
        if channel.is_default:
            await tell_defaults(change, channel.realm_id)


async def _administered(change: Change, actor: Actor, channel_id: int) -> Channel:
    """A channel that the actor may change. Until the transaction ends nobody else changes or creates one."""
    await take_turn(change.connection, CHANNELS)
    channel = await _find(change.connection, actor.account, channel_id)
    if channel.is_archived:
        raise invalid_channel()
    if not may_administer(actor.account, channel):
        raise NotPermitted("You do not have permission to administer this channel.")
    return channel


async def is_follower(context: Context, caller: Caller, user_id: int, channel_id: int) -> bool:
    """Whether somebody follows a channel that the actor may see."""
    async with context.viewing(caller) as view:
        await _find(view.connection, view.actor.account, channel_id)
        person = await accounts.find(view.connection, user_id)
        followed = await channels.find_subscriptions_to(view.connection, user_id, [channel_id])
    if person is None or person.realm_id != view.actor.account.realm_id:
        raise Refused("No such user")
    return channel_id in followed
