"""Reactions: emoji on a message."""

from __future__ import annotations

from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import Refused, check_cap
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.messaging import reaction_events
from keybearer.server.domain.messaging.messages import Directory, Message, Reaction
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_realm
from keybearer.server.services.messaging import emoji
from keybearer.server.services.messaging.lookups import audience, changeable_message
from keybearer.server.storage.messaging import reactions


async def add(
    context: Context, caller: Caller, message_id: int, *, name: str, code: str | None, kind: str | None
) -> None:
    """Add an emoji to a message. Raises Refused with Zulip's words."""
    async with context.change(caller) as change:
        actor = change.actor
        message = await changeable_message(change.connection, actor.account, message_id)
        code, kind = emoji.checked_emoji(name, code, kind)
        reaction = Reaction(message.id, actor.id, name, code, kind)
        if not await reactions.add(change.connection, reaction):
            raise Refused("Reaction already exists.", code="REACTION_ALREADY_EXISTS")
        everybody, own = await reactions.count(change.connection, message.id, actor.id)
        check_cap(Cap.OWN_REACTIONS, own)
        check_cap(Cap.REACTIONS, everybody)
        await _notify(change, actor, message, reaction, "add")


async def remove(
    context: Context, caller: Caller, message_id: int, *, name: str | None, code: str | None, kind: str
) -> None:
    """Remove an emoji from a message. Raises Refused with Zulip's words."""
    async with context.change(caller) as change:
        actor = change.actor
        message = await changeable_message(change.connection, actor.account, message_id)
        if code is None:
            if name is None:
                raise Refused("At least one of the following arguments must be present: emoji_name, emoji_code")
            code, kind = emoji.checked_emoji(name, None, None)
        removed = await reactions.remove(change.connection, message.id, actor.id, emoji_code=code, kind=kind)
        if removed is None:
            raise Refused("Reaction doesn't exist.", code="REACTION_DOES_NOT_EXIST")
        await _notify(change, actor, message, removed, "remove")


async def _notify(change: Change, actor: Actor, message: Message, reaction: Reaction, op: str) -> None:
    realm = await the_realm(change.connection)
    directory = Directory({actor.id: actor.account}, dummy_domain=realm.bot_domain)
    change.tell(reaction_events.changed(op, reaction, message, directory, await audience(change.connection, message)))
