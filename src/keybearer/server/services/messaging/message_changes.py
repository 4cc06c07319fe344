"""Changing and deleting messages that are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keybearer.server.domain.actors import Actor, Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging import message_events
from keybearer.server.domain.messaging.channels import may_read
from keybearer.server.domain.messaging.messages import (
    ANY_MENTION,
    Flag,
    Message,
    checked_content,
    checked_topic,
    is_editable,
)
from keybearer.server.services.context import Change, Context
from keybearer.server.services.messaging.lookups import audience, find_channel, names_in, visible_message
from keybearer.server.services.messaging.markdown import render
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import channels, messages, uploads

PROPAGATE_MODES = ("change_one", "change_later", "change_all")


@dataclass(frozen=True, slots=True)
class MessageChange:
    """What is to change of a message; None leaves it as it is."""

    content: str | None = None
    topic: str | None = None
    channel_id: int | None = None
    propagate_mode: str = "change_one"


async def change(context: Context, caller: Caller, message_id: int, wanted: MessageChange) -> None:
    """Change a message's text (its author may), or its topic and channel. Raises Refused in Zulip's words."""
    if wanted.propagate_mode not in PROPAGATE_MODES:
        raise Refused("Invalid propagate_mode")
    if wanted.content is None and wanted.topic is None and wanted.channel_id is None:
        raise Refused("Nothing to change")
    async with context.change(caller) as change:
        actor = change.actor
        if wanted.topic is not None or wanted.channel_id is not None:
            # Before any message is held: two who move one topic hold different messages of it first.
            await take_turn(change.connection, "moving messages")
        message = await visible_message(change.connection, actor.account, message_id, for_change=True)
        if wanted.content is not None:
            if wanted.channel_id is not None:
                raise Refused("Cannot change message content while changing channel")
            message = await _rewrite(change, actor, message, wanted.content)
        if wanted.topic is not None or wanted.channel_id is not None:
            await _move(change, actor, message, wanted)


async def _rewrite(change: Change, actor: Actor, message: Message, text: str) -> Message:
    if message.sender_id != actor.id:
        raise Refused("You don't have permission to edit this message")
    if not is_editable(message, change.now):
        raise Refused("The time limit for editing this message has passed")
    content = "(deleted)" if not text.strip() else checked_content(text)
    connection = change.connection
    rendered = render(content, await names_in(connection, message.realm_id, content))
    version = {
        "user_id": actor.id,
        "timestamp": int(change.now.timestamp()),
        "prev_content": message.content,
        "prev_rendered_content": message.rendered,
    }
    changed = replace(
        message, content=content, rendered=rendered.html, edited_at=change.now, edits=(version, *message.edits)
    )
    await uploads.detach_all(connection, message.id)
    upload_ids = await uploads.find_ids(connection, rendered.upload_paths, actor.id)
    await uploads.attach(connection, message.id, upload_ids)
    await messages.save_content(
        connection, changed, has_link=rendered.has_link, has_image=rendered.has_image, has_attachment=bool(upload_ids)
    )
    wildcards = Flag.CHANNEL_WILDCARD_MENTIONED if rendered.mentions_channel else Flag(0)
    for account_id, flags in (await messages.find_owners(connection, message.id, for_change=True)).items():
        mentions = wildcards | (Flag.MENTIONED if account_id in rendered.mentioned_ids else Flag(0))
        if flags & ANY_MENTION != mentions:
            await messages.set_flags(connection, account_id, message.id, (flags & ~ANY_MENTION) | mentions)
    recipients = await audience(connection, message)
    change.tell(message_events.edited(message, changed, by=actor.id, at=change.now, recipients=recipients))
    return changed


async def _move(change: Change, actor: Actor, message: Message, wanted: MessageChange) -> None:
    if message.channel_id is None:
        raise Refused("Direct messages cannot have topics." if wanted.topic else "Direct messages cannot be moved.")
    connection, account = change.connection, actor.account
    topic = message.topic if wanted.topic is None else checked_topic(wanted.topic)
    channel_id = message.channel_id if wanted.channel_id is None else wanted.channel_id
    if (topic, channel_id) == (message.topic, message.channel_id):
        return
    if account.role > 400:
        raise Refused("You don't have permission to edit this message")
    if channel_id != message.channel_id:
        target = await find_channel(connection, account.realm_id, channel_id)
        if not account.is_administrator:
            raise Refused("You don't have permission to move this message")
        if target.is_archived or not may_read(
            account, target, subscribed=await channels.is_subscribed(connection, account.id, target.id)
        ):
            raise Refused("Invalid channel ID")
    moved = [message]
    if wanted.propagate_mode != "change_one":
        since = message.id if wanted.propagate_mode == "change_later" else 0
        moved = list(
            await messages.find_in_topic(connection, message.channel_id, message.topic, since=since, for_change=True)
        )
    recipients: dict[int, Sequence[str]] = {}
    for each in moved:
        recipients |= await audience(connection, each)
        await messages.save_place(connection, _moved(change, actor, each, channel_id, topic))
        recipients |= await audience(connection, replace(each, channel_id=channel_id))
    change.tell(
        message_events.moved(
            message,
            [each.id for each in moved],
            topic=topic,
            channel_id=channel_id,
            propagate_mode=wanted.propagate_mode,
            by=actor.id,
            at=change.now,
            recipients=recipients,
        )
    )


def _moved(change: Change, actor: Actor, message: Message, channel_id: int, topic: str) -> Message:
    version: dict[str, object] = {"user_id": actor.id, "timestamp": int(change.now.timestamp())}
    if topic != message.topic:
        version |= {"topic": topic, "prev_topic": message.topic}
    if channel_id != message.channel_id:
        version |= {"stream": channel_id, "prev_stream": message.channel_id}
    return replace(message, topic=topic, channel_id=channel_id, edited_at=change.now, edits=(version, *message.edits))


async def delete(context: Context, caller: Caller, message_id: int) -> None:
    """Delete a message for everybody: administrators may, and its author while it may be edited."""
    async with context.change(caller) as change:
        actor = change.actor
        message = await visible_message(change.connection, actor.account, message_id, for_change=True)
        if not actor.account.is_administrator:
            if message.sender_id != actor.id:
                raise Refused("You don't have permission to delete this message")
            if not is_editable(message, change.now):
                raise Refused("The time limit for deleting this message has passed")
        recipients = await audience(change.connection, message)
        await messages.remove(change.connection, message.id)
        change.tell(message_events.deleted(message, recipients))
