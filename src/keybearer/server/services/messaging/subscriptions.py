"""Subscriptions: follow and leave channels, for oneself or for others, and change their settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import NotPermitted, Refused, check_cap
from keybearer.server.domain.event_log import Event
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.messaging import channel_events
from keybearer.server.domain.messaging.channels import (
    COLORS,
    NOTIFICATION_SETTINGS,
    Channel,
    PostPolicy,
    Subscription,
    SubscriptionChanges,
    check_may_be_default,
    checked_description,
    checked_name,
    may_create_channels,
    may_subscribe_others,
    may_unsubscribe,
    name_key,
)
from keybearer.server.domain.pacing import paced
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import CHANNELS
from keybearer.server.services.messaging.channels import tell_defaults
from keybearer.server.services.messaging.lookups import find_people
from keybearer.server.services.messaging.markdown import render_all
from keybearer.server.storage import accounts
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import channels


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel to follow, and its properties if it does not exist yet."""

    name: str
    description: str = ""
    color: str | None = None
    is_private: bool = False
    post_policy: PostPolicy = PostPolicy.EVERYONE
    is_default: bool = False


async def follow(
    context: Context,
    caller: Caller,
    wanted: Sequence[NewChannel],
    *,
    principals: Sequence[str | int] = (),
    authorization_errors_fatal: bool = True,
    leaving: Sequence[str] = (),
) -> tuple[SubscriptionChanges, Mapping[int, Account]]:
    """Subscribe accounts (the actor if no `principals` are named) to channels. Missing channels are created. The actor
    first leaves the channels named by `leaving`.

    Returns what changed, and the accounts by id. Raises Refused with Zulip's words; then nothing is changed.
    """
    wanted = await paced(_checked, wanted)
    texts = list({new.description for new in wanted})
    check_cap(Cap.DESCRIPTIONS, sum(len(new.description) for new in wanted))
    # Before the transaction that needs it.
    rendered = dict(zip(texts, await render_all(context, caller, texts), strict=True))
    async with context.change(caller) as change:
        actor = change.actor
        # Before any row is locked: two calls may name the same people and channels in opposite orders.
        await take_turn(change.connection, CHANNELS)
        removed, not_removed = await _unfollow(change, leaving) if leaving else ([], [])
        people = await _principals(change, actor, principals)
        check_cap(Cap.FOLLOWED, len(wanted) * len(people))
        found = await _find_or_create(change, actor.account, wanted, rendered)
        unauthorized = tuple(new.name for new in wanted if name_key(new.name) not in found)
        if unauthorized and authorization_errors_fatal:
            raise Refused(f"Unable to access channel ({unauthorized[0]}).")
        changes = SubscriptionChanges(
            {each: [] for each in people}, {each: [] for each in people}, unauthorized, removed, not_removed
        )
        authorized = [(found[name_key(new.name)], new.color) for new in wanted if name_key(new.name) in found]
        await _follow(change, authorized, people, changes)
        return changes, people


async def create(context: Context, caller: Caller, new: NewChannel, subscribers: Sequence[str | int]) -> Channel:
    """Create a channel that these accounts follow. Raises Refused with Zulip's words if the name is taken."""
    new = _checked(new)
    if new.is_private and not subscribers:
        raise Refused("A private channel needs at least one subscriber: nobody else can see it.")
    rendered = await render_all(context, caller, [new.description])
    async with context.change(caller) as change:
        actor = change.actor
        await take_turn(change.connection, CHANNELS)
        if not may_create_channels(actor.account):
            raise NotPermitted
        people = await _principals(change, actor, subscribers) if subscribers else {}
        if await channels.find_by_name(change.connection, actor.account.realm_id, new.name) is not None:
            message, extra = f"Channel '{new.name}' already exists", {"channel_name": new.name}
            raise Refused(message, code="CHANNEL_ALREADY_EXISTS", extra=extra)
        (channel,) = await _create(change, actor.account, [new], {new.description: rendered[0]})
        changes = SubscriptionChanges({each: [] for each in people}, {each: [] for each in people})
        await _follow(change, [(channel, new.color)], people, changes)
        return channel


def _checked(new: NewChannel) -> NewChannel:
    return replace(new, name=checked_name(new.name), description=checked_description(new.description))


async def _principals(change: Change, actor: Actor, principals: Sequence[str | int]) -> dict[int, Account]:
    if not principals:
        return {actor.id: actor.account}
    if not may_subscribe_others(actor.account):
        raise NotPermitted("Not allowed for guest users")
    people = await find_people(change.connection, actor.account, principals)
    if not all(person.is_active for person in people):
        raise Refused("User is deactivated")
    return {person.id: person for person in people}


async def _find_or_create(
    change: Change, account: Account, wanted: Sequence[NewChannel], rendered: Mapping[str, str]
) -> dict[str, Channel]:
    """The channels by `name_key`. Missing ones are created. Those that the account may not follow or create are left
    out.
    """
    connection, names = change.connection, [new.name for new in wanted]
    seen = await channels.find_all_seen(connection, account, names=names)
    found = {name_key(channel.name): channel for channel in seen if not channel.is_archived}
    if may_create_channels(account):
        taken = {
            name_key(channel.name) for channel in await channels.find_by_names(connection, account.realm_id, names)
        }
        missing = {name_key(new.name): new for new in reversed(wanted) if name_key(new.name) not in taken}
        made = await _create(change, account, list(missing.values()), rendered)
        found |= {name_key(channel.name): channel for channel in made}
    return found


async def _create(
    change: Change, account: Account, wanted: Sequence[NewChannel], rendered: Mapping[str, str]
) -> Sequence[Channel]:
    if wanted:
        check_cap(Cap.CHANNELS, await channels.count_created(change.connection, account.person_id) + len(wanted))
    for each in wanted:
        if each.is_default:
            check_may_be_default(account, is_private=each.is_private)
    new = [
        Channel(
            0,
            account.realm_id,
            each.name,
            change.now,
            each.description,
            rendered[each.description],
            is_private=each.is_private,
            post_policy=each.post_policy,
            creator_id=account.id,
            is_default=each.is_default,
        )
        for each in wanted
    ]
    made = await channels.add(change.connection, new)
    change.tell(*await paced(channel_events.created, made))
    if any(each.is_default for each in made):
        await tell_defaults(change, account.realm_id)
    return made


async def _follow(
    change: Change,
    wanted: Sequence[tuple[Channel, str | None]],
    people: Mapping[int, Account],
    changes: SubscriptionChanges,
) -> None:
    """Subscribe everybody to every channel, in its color or in the next of each account's own colors."""
    connection, ids = change.connection, [channel.id for channel, _ in wanted]
    check_cap(Cap.FOLLOWERS, await channels.count_followers(connection, ids, most=Cap.FOLLOWERS.most))
    following = set(await channels.find_pairs(connection, people, ids))
    followed = await channels.count_subscriptions(connection, people)
    fresh: dict[int, list[Subscription]] = {}

    def follow_one(pair: tuple[tuple[Channel, str | None], int]) -> None:
        (channel, color), each = pair
        if (each, channel.id) in following:
            changes.already[each].append(channel)
            return
        place = followed.get(each, 0)
        followed[each] = place + 1
        following.add((each, channel.id))
        changes.subscribed[each].append(channel)
        subscription = Subscription(each, channel.id, color or COLORS[place % len(COLORS)])
        fresh.setdefault(channel.id, []).append(subscription)

    await paced(follow_one, product(wanted, people))
    await channels.subscribe(connection, [each for several in fresh.values() for each in several])
    subscribers = await channels.find_subscribers(connection, fresh)
    by_id = {channel.id: channel for channel, _ in wanted}

    def events_of(channel_id: int) -> list[Event]:
        return list(channel_events.subscribed(by_id[channel_id], subscribers[channel_id], fresh[channel_id]))

    for events in await paced(events_of, fresh):
        change.tell(*events)


async def unfollow(
    context: Context, caller: Caller, names: Sequence[str], *, principals: Sequence[str | int] = ()
) -> tuple[list[str], list[str]]:
    """Unsubscribe accounts from channels. Returns the names of channels that were left, and of those that were not
    followed.
    """
    async with context.change(caller) as change:
        await take_turn(change.connection, CHANNELS)
        return await _unfollow(change, names, principals)


async def _unfollow(
    change: Change, names: Sequence[str], principals: Sequence[str | int] = ()
) -> tuple[list[str], list[str]]:
    actor, connection = change.actor, change.connection
    people = await _principals(change, actor, principals)
    check_cap(Cap.FOLLOWED, len(names) * len(people))
    if not all(may_unsubscribe(actor.account, each) for each in people.values()):
        raise NotPermitted
    seen = await channels.find_all_seen(connection, actor.account, names=names)
    by_name = {name_key(channel.name): channel for channel in seen}
    missing = [name for name in names if name_key(name.strip()) not in by_name]
    if missing:
        raise Refused(f"Channel(s) ({', '.join(missing)}) do not exist")
    left = await _end_subscriptions(change, people, by_name.values())
    removed: list[str] = []
    not_removed: list[str] = []
    for name in names:
        channel = by_name[name_key(name.strip())]
        leavers = left.pop(channel.id, [])
        (removed if leavers else not_removed).append(channel.name)
        if leavers:
            change.tell(*channel_events.unsubscribed(channel, leavers))
    return removed, not_removed


async def _end_subscriptions(
    change: Change, people: Collection[int], wanted: Collection[Channel]
) -> dict[int, list[int]]:
    """End all these accounts' subscriptions to all these channels. Returns who left, by channel.

    Bots leave private channels together with their owner, because a bot shows its owner what it sees.
    """
    connection = change.connection
    public = [channel.id for channel in wanted if not channel.is_private]
    private = [channel.id for channel in wanted if channel.is_private]
    with_bots = [*people, *await accounts.find_bot_ids_of(connection, people)] if private else []
    left: dict[int, list[int]] = {}
    for account_ids, channel_ids in ((people, public), (with_bots, private)):
        ended = sorted(await channels.unsubscribe(connection, account_ids, channel_ids))
        await paced(lambda pair: left.setdefault(pair[1], []).append(pair[0]), ended)
    return left


async def choose(context: Context, caller: Caller, choices: Sequence[tuple[int, str, object]]) -> None:
    """Change the settings of the actor's subscriptions: (channel, property, value). Raises Refused."""
    async with context.change(caller) as change:
        actor = change.actor
        ids = {channel_id for channel_id, _, _ in choices}
        mine = await channels.find_subscriptions_to(change.connection, actor.id, ids)
        chosen: dict[str, dict[int, object]] = {}
        for channel_id, name, value in choices:
            if channel_id not in mine:
                raise Refused(f"Not subscribed to channel ID {channel_id}")
            column, stored = _choice(name, value)
            chosen.setdefault(column, {})[channel_id] = stored
        for column, values in chosen.items():
            await channels.change_subscriptions(change.connection, actor.id, column, values)
            for channel_id, stored in values.items():
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
