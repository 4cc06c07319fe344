"""Presence, status and typing: who is present, and who is writing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.event_log import without_flags
from keybearer.server.domain.messaging import presence_events
from keybearer.server.domain.messaging.channels import check_may_post, invalid_channel
from keybearer.server.domain.messaging.presences import Presence, Present, Status, checked_presence, checked_status_text
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_account, the_realm
from keybearer.server.services.messaging import emoji
from keybearer.server.services.messaging.lookups import audience, changeable_message, find_people
from keybearer.server.services.messaging.sending import client_name
from keybearer.server.storage import accounts
from keybearer.server.storage.messaging import channels, presences

HISTORY = timedelta(days=14)
"""How far back presence is reported."""


async def note(context: Context, caller: Caller, status: str) -> None:
    """Record that the actor is present. Raises Refused for an invalid status."""
    is_active = checked_presence(status)
    async with context.change(caller) as change:
        actor = change.actor
        client = client_name(actor.origin.client)
        await presences.note(change.connection, actor.id, at=change.now, is_active=is_active, client=client)
        realm = await the_realm(change.connection)
        seen = await presences.find(change.connection, actor.id)
        assert seen is not None
        change.tell(presence_events.seen(actor.account, seen, dummy_domain=realm.bot_domain))


async def find_all(context: Context, caller: Caller, *, history: timedelta = HISTORY) -> list[Present]:
    """All people who were present lately, with their accounts."""
    async with context.viewing(caller) as view:
        found = await presences.find_all(view.connection, view.now - history)
        people = await accounts.find_by_ids(view.connection, [each.account_id for each in found])
    return [
        (each, people[each.account_id])
        for each in found
        if people[each.account_id].is_active and not people[each.account_id].is_bot
    ]


async def find(context: Context, caller: Caller, person: str | int) -> Presence:
    """When somebody was last present. Raises Refused with Zulip's words."""
    async with context.viewing(caller) as view:
        viewer = view.actor.account
        (account,) = await find_people(view.connection, viewer, [person], refusal=lambda _: Refused("No such user"))
        if account.is_bot:
            raise Refused("Presence is not supported for bot users.")
        found = await presences.find(view.connection, account.id)
        is_away = (await presences.find_status(view.connection, account.id)).is_away
    if found is None or is_away:
        raise Refused(f"No presence data for {person}")
    return found


async def set_status(
    context: Context,
    caller: Caller,
    *,
    text: str | None,
    emoji_name: str | None,
    code: str | None,
    kind: str | None,
    is_away: bool | None,
) -> None:
    """Change the actor's status. Parts that are None stay the same. Raises Refused with Zulip's words."""
    async with context.change(caller) as change:
        actor = change.actor
        status = await presences.find_status(change.connection, actor.id)
        if text is None and emoji_name is None and is_away is None:
            raise Refused("Client did not pass any new values.")
        if text is not None:
            status = replace(status, text=checked_status_text(text))
        if emoji_name == "":
            status = Status(actor.id, status.text, is_away=status.is_away)
        elif emoji_name is not None:
            code, kind = emoji.checked_emoji(emoji_name, code, kind)
            status = replace(status, emoji_name=emoji_name, emoji_code=code, kind=kind)
        if is_away is not None:
            status = replace(status, is_away=is_away)
        await presences.set_status(change.connection, status)
        change.tell(presence_events.status_changed(status))


async def find_status(context: Context, caller: Caller, account_id: int) -> Status:
    """An account's status. Raises Refused with `No such user`."""
    async with context.viewing(caller) as view:
        await the_account(view.connection, view.actor.account, account_id)
        return await presences.find_status(view.connection, account_id)


async def tell_typing_to_people(context: Context, caller: Caller, op: str, people: Collection[str | int]) -> None:
    """Tell people that the actor is writing to them, or has stopped."""
    if not people:
        raise Refused("Empty 'to' list")
    async with context.change(caller) as change:
        actor = change.actor
        realm = await the_realm(change.connection)
        found = await find_people(change.connection, actor.account, people)
        recipients = {person.id: person for person in (*found, actor.account)}
        change.tell(presence_events.typing_to_people(op, actor.account, recipients.values(), realm.bot_domain))


async def tell_typing_in_channel(context: Context, caller: Caller, op: str, channel_id: int, topic: str) -> None:
    """Tell the followers of a channel that the actor is writing to a topic, or has stopped."""
    async with context.change(caller) as change:
        actor = change.actor
        channel = await channels.find_seen(change.connection, actor.account, channel_id)
        if channel is None or channel.is_archived:
            raise invalid_channel()
        check_may_post(actor.account, channel)
        followers = await channels.find_active_subscribers(change.connection, channel.id)
        realm = await the_realm(change.connection)
        change.tell(
            presence_events.typing_in_channel(
                op,
                actor.account,
                channel_id=channel.id,
                topic=topic,
                subscribers=followers,
                dummy_domain=realm.bot_domain,
            )
        )


async def tell_typing_in_message(context: Context, caller: Caller, op: str, message_id: int) -> None:
    """Tell everybody who sees a message that the actor, its author, is editing it, or has stopped. Raises Refused."""
    async with context.change(caller) as change:
        message = await changeable_message(change.connection, change.actor.account, message_id)
        if message.sender_id != change.actor.id:
            raise Refused("You don't have permission to edit this message")
        recipients = without_flags(sorted(await audience(change.connection, message)))
        change.tell(presence_events.typing_in_message(op, message, recipients))
