"""Following channels: an account, or others for it, and what it chooses for those it follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import NotPermitted, Refused
from keybearer.server.domain.messaging import channel_events
from keybearer.server.domain.messaging.channels import (
    COLORS,
    NOTIFICATION_SETTINGS,
    Channel,
    Followed,
    PostPolicy,
    Subscription,
    SubscriptionChanges,
    check_descriptions,
    check_may_be_default,
    checked_description,
    checked_name,
    may_create_channels,
    may_subscribe_others,
    may_unsubscribe,
    name_key,
)
from keybearer.server.services.context import Change, Context
from keybearer.server.services.lookups import CHANNELS
from keybearer.server.services.messaging.channels import tell_defaults
from keybearer.server.services.messaging.lookups import find_people
from keybearer.server.services.messaging.markdown import render_all
from keybearer.server.storage import accounts
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import channels


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel to follow, and what it is to be where it is not there yet."""

    name: str
    description: str = ""
    color: str | None = None
    is_private: bool = False
    post_policy: PostPolicy = PostPolicy.EVERYONE
    rendered_description: str = ""


async def follow(
    context: Context,
    caller: Caller,
    wanted: Sequence[NewChannel],
    *,
    principals: Sequence[str | int] = (),
    authorization_errors_fatal: bool = True,
) -> tuple[SubscriptionChanges, Mapping[int, Account]]:
    """Let accounts (the actor where no `principals` are named) follow channels; those not there yet are made.

    Returns what changed, and the accounts by id. Raises Refused in Zulip's words.
    """
    wanted = await _described(context, caller, wanted)
    async with context.change(caller) as change:
        actor = change.actor
        # Before any row: two calls may name the same people and channels in opposite orders.
        await take_turn(change.connection, CHANNELS)
        people = await _principals(change, actor, principals)
        changes = SubscriptionChanges({each: [] for each in people}, {each: [] for each in people})
        unauthorized: list[str] = []
        for new in wanted:
            channel = await _authorized(change, actor.account, new)
            if channel is None:
                unauthorized.append(new.name)
                continue
            await _follow(change, channel, new, people.values(), changes)
        if unauthorized and authorization_errors_fatal:
            raise Refused(f"Unable to access channel ({unauthorized[0]}).")
        return replace(changes, unauthorized=tuple(unauthorized)), people


async def _described(context: Context, caller: Caller, wanted: Sequence[NewChannel]) -> Sequence[NewChannel]:
    """The same with their descriptions checked, and as HTML: rendered before the transaction that writes them."""
    check_descriptions(new.description for new in wanted)
    texts = [checked_description(new.description) for new in wanted]
    rendered = await render_all(context, caller, texts)
    return [
        replace(new, description=text, rendered_description=html)
        for new, text, html in zip(wanted, texts, rendered, strict=True)
    ]


async def create(
    context: Context, caller: Caller, new: NewChannel, subscribers: Sequence[str | int], *, is_default: bool = False
) -> Channel:
    """Make a channel that these accounts follow. Raises Refused in Zulip's words where there is one of that name."""
    name = checked_name(new.name)
    if new.is_private and not subscribers:
        raise Refused("A private channel needs at least one subscriber: nobody else can see it.")
    (new,) = await _described(context, caller, [replace(new, name=name)])
    async with context.change(caller) as change:
        actor = change.actor
        await take_turn(change.connection, CHANNELS)
        if not may_create_channels(actor.account):
            raise NotPermitted
        people = await _principals(change, actor, subscribers) if subscribers else {}
        if await channels.find_by_name(change.connection, actor.account.realm_id, name) is not None:
            message, extra = f"Channel '{name}' already exists", {"channel_name": name}
            raise Refused(message, code="CHANNEL_ALREADY_EXISTS", extra=extra)
        channel = await _create(change, actor.account, new)
        assert channel is not None
        if is_default:
            before, channel = channel, replace(channel, is_default=True)
            check_may_be_default(actor.account, before, channel)
            await channels.save(change.connection, channel)
            await tell_defaults(change, channel.realm_id)
        changes = SubscriptionChanges({each: [] for each in people}, {each: [] for each in people})
        await _follow(change, channel, new, people.values(), changes)
        return channel


async def _principals(change: Change, actor: Actor, principals: Sequence[str | int]) -> dict[int, Account]:
    if not principals:
        return {actor.id: actor.account}
    if not may_subscribe_others(actor.account):
        raise Refused("Not allowed for guest users")
    people = await find_people(change.connection, actor.account, principals)
    if not all(person.is_active for person in people):
        raise Refused("User is deactivated")
    return {person.id: person for person in people}


async def _authorized(change: Change, account: Account, new: NewChannel) -> Channel | None:
    """The channel, made where there is none; None where the account may not follow it, or make it."""
    name = checked_name(new.name)
    channel = await channels.find_seen(change.connection, account, name)
    if channel is not None:
        return None if channel.is_archived else channel
    if not may_create_channels(account):
        return None
    return await _create(change, account, replace(new, name=name))


async def _create(change: Change, account: Account, new: NewChannel) -> Channel | None:
    """The new channel; None where the name belongs to one that the account does not see."""
    await take_turn(change.connection, CHANNELS)
    if await channels.find_by_name(change.connection, account.realm_id, new.name) is not None:
        return await channels.find_seen(change.connection, account, new.name)  # made by somebody else in this moment
    channel = await channels.add(
        change.connection,
        realm_id=account.realm_id,
        name=new.name,
        at=change.now,
        description=new.description,
        rendered_description=new.rendered_description,
        is_private=new.is_private,
        post_policy=new.post_policy,
        creator_id=account.id,
    )
    change.tell(channel_events.created(channel))
    return channel


async def _follow(
    change: Change, channel: Channel, new: NewChannel, people: Iterable[Account], changes: SubscriptionChanges
) -> None:
    fresh = []
    for person in people:
        position = len(await channels.find_subscriptions(change.connection, person.id))
        subscription = Subscription(person.id, channel.id, new.color or COLORS[position % len(COLORS)])
        if await channels.subscribe(change.connection, subscription):
            changes.subscribed[person.id].append(channel)
            fresh.append(subscription)
        else:
            changes.already[person.id].append(channel)
    subscribers = (await channels.find_subscribers(change.connection, [channel.id]))[channel.id]
    for subscription in fresh:
        change.tell(*channel_events.subscribed(Followed(channel, subscribers, subscription)))
    if fresh:
        ids = [subscription.account_id for subscription in fresh]
        change.tell(channel_events.peers_subscribed(channel.id, ids))


async def unfollow(
    context: Context, caller: Caller, names: Sequence[str], *, principals: Sequence[str | int] = ()
) -> tuple[list[str], list[str]]:
    """Let accounts follow channels no more; returns the names of those left, and of those not followed anyway."""
    async with context.change(caller) as change:
        actor = change.actor
        await take_turn(change.connection, CHANNELS)
        people = await _principals(change, actor, principals)
        if not all(may_unsubscribe(actor.account, each) for each in people.values()):
            raise NotPermitted
        removed: list[str] = []
        not_removed: list[str] = []
        bot_ids = await accounts.find_bot_ids_of(change.connection, people)
        seen = await channels.find_all_seen(change.connection, actor.account, names=names)
        by_name = {name_key(channel.name): channel for channel in seen}
        missing = [name for name in names if name_key(name.strip()) not in by_name]
        if missing:
            raise Refused(f"Channel(s) ({', '.join(missing)}) do not exist")
        for name in names:
            channel = by_name[name_key(name.strip())]
            leaving = [*people, *bot_ids] if channel.is_private else people  # a bot shows its owner what it sees
            left = [each for each in leaving if await channels.unsubscribe(change.connection, each, channel.id)]
            (removed if left else not_removed).append(channel.name)
            if left:
                change.tell(*channel_events.unsubscribed(channel, left))
        return removed, not_removed


async def choose(context: Context, caller: Caller, choices: Sequence[tuple[int, str, object]]) -> None:
    """Change what the actor chose for channels it follows: (channel, property, value). Raises Refused."""
    async with context.change(caller) as change:
        actor = change.actor
        mine = await channels.find_subscriptions(change.connection, actor.id)
        for channel_id, name, value in choices:
            if channel_id not in mine:
                raise Refused(f"Not subscribed to channel ID {channel_id}")
            column, stored = _choice(name, value)
            await channels.change_subscription(change.connection, actor.id, channel_id, {column: stored})
            change.tell(*channel_events.setting_changed(actor.id, channel_id, column, stored))


def _choice(name: str, value: object) -> tuple[str, object]:
    if name == "color":
        if not (isinstance(value, str) and len(value) in (4, 7) and value.startswith("#") and value[1:].isalnum()):
            raise Refused("color is not a valid hex color code")
        return name, value
    if name not in ("in_home_view", "is_muted", "pin_to_top", *NOTIFICATION_SETTINGS):
        raise Refused(f"Unknown subscription property: {name}")
    if not isinstance(value, bool):
        raise Refused(f"{name} is not a boolean")
    return ("is_muted", not value) if name == "in_home_view" else (name, value)
