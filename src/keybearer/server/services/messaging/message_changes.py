"""Changes and deletes messages that have been sent."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import compress

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused, check_cap
from keybearer.server.domain.event_log import Event, without_flags
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.messaging import message_events
from keybearer.server.domain.messaging.channels import Channel, invalid_channel
from keybearer.server.domain.messaging.messages import (
    BY_TEXT,
    Flag,
    Message,
    check_may_delete,
    check_may_move,
    check_may_rewrite,
    check_moves,
    checked_content,
    checked_topic,
)
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.visibility import may_see_channel
from keybearer.server.services.background import in_slices
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.messaging.alert_words import find_alerted
from keybearer.server.services.messaging.attachments import tell_linked
from keybearer.server.services.messaging.lookups import audience, changeable_message, names_in
from keybearer.server.services.messaging.markdown import Rendered, render_for
from keybearer.server.services.messaging.user_topics import follow_move
from keybearer.server.storage import accounts
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import channels, messages, uploads

PROPAGATE_MODES = ("change_one", "change_later", "change_all")


@dataclass(frozen=True, slots=True)
class MessageChange:
    """The properties of a message to change. None leaves one as it is.

    `content_before` is the SHA-256, in hexadecimal, of the text that the client believes to be current.
    """

    content: str | None = None
    content_before: str | None = None
    topic: str | None = None
    channel_id: int | None = None
    propagate_mode: str = "change_one"


async def change(context: Context, caller: Caller, message_id: int, wanted: MessageChange) -> None:
    """Change a message's text (its author may), or its topic and channel. Raises Refused with Zulip's words."""
    if wanted.propagate_mode not in PROPAGATE_MODES:
        raise Refused("Invalid propagate_mode")
    moves = wanted.topic is not None or wanted.channel_id is not None
    if wanted.content is None and not moves:
        raise Refused("Nothing to change")
    if wanted.propagate_mode != "change_one" and not moves:
        raise Refused("Invalid propagate_mode without topic edit")
    text = None if wanted.content is None else await _rendered(context, caller, wanted.content)
    move = None
    async with context.change(caller) as change:
        account = change.actor.account
        if moves:
            # Before any message is locked: two calls that move one topic start with different messages of it.
            await take_turn(change.connection, "moving messages")
        message = await changeable_message(change.connection, account, message_id, for_change=True)
        if text is not None:
            if wanted.channel_id is not None:
                raise Refused("Cannot change message content while changing channel")
            _check_unchanged(message, wanted.content_before)
            message = await _rewrite(change, account, message, text)
        if moves:
            move = await _move(change, account, message, wanted)
    if move is not None:
        await _tell_owners(context, caller, move)


def _check_unchanged(message: Message, digest: str | None) -> None:
    """Raise Refused, with Zulip's words, if the text is not the one that the client believes."""
    if digest is not None and hashlib.sha256(message.content.encode()).hexdigest() != digest.lower():
        raise Refused("'prev_content_sha256' value does not match the expected value.", code="EXPECTATION_MISMATCH")


@dataclass(frozen=True, slots=True)
class _Text:
    """A new text, as it was written and as HTML."""

    content: str
    rendered: Rendered


async def _rendered(context: Context, caller: Caller, text: str) -> _Text:
    """The new text of a message, rendered before the transaction that writes it."""
    content = "(deleted)" if not text.strip() else checked_content(text)
    names = await names_in(context, caller, content)
    return _Text(content, await render_for(context, caller, content, names))


async def _rewrite(change: Change, account: Account, message: Message, text: _Text) -> Message:
    check_may_rewrite(account, message, change.now)
    connection, rendered = change.connection, text.rendered
    check_cap(Cap.EDITS, sum("prev_content" in edit for edit in message.edits) + 1)
    earlier = sum(
        len(str(edit.get(name, ""))) for edit in message.edits for name in ("prev_content", "prev_rendered_content")
    )
    check_cap(Cap.EDITS_TEXT, earlier + len(message.content) + len(message.rendered))
    version = {
        "user_id": account.id,
        "timestamp": int(change.now.timestamp()),
        "prev_content": message.content,
        "prev_rendered_content": message.rendered,
    }
    changed = replace(
        message, content=text.content, rendered=rendered.html, edited_at=change.now, edits=(version, *message.edits)
    )
    await uploads.detach_all(connection, message.id)
    upload_ids = await uploads.find_ids(connection, rendered.upload_paths, account.id)
    await uploads.attach(connection, message.id, upload_ids)
    await tell_linked(change, account, upload_ids)
    await messages.save_content(
        connection, changed, has_link=rendered.has_link, has_image=rendered.has_image, has_attachment=bool(upload_ids)
    )
    wildcards = Flag.CHANNEL_WILDCARD_MENTIONED if rendered.mentions_channel else Flag(0)
    alerted = await find_alerted(connection, text.content)
    by_flags: dict[Flag, list[int]] = {}

    def note(owner: tuple[int, Flag]) -> None:
        account_id, flags = owner
        now = wildcards | (Flag.MENTIONED if account_id in rendered.mentioned_ids else Flag(0))
        now |= Flag.HAS_ALERT_WORD if account_id in alerted else Flag(0)
        if flags & BY_TEXT != now:
            by_flags.setdefault(now, []).append(account_id)

    await paced(note, (await messages.find_owners(connection, message.id, for_change=True)).items())
    for now, account_ids in by_flags.items():
        await messages.change_flags(connection, account_ids, [message.id], added=now, removed=BY_TEXT)
    recipients = await audience(connection, message)
    channel_name = await _channel_name(connection, message)
    change.tell(
        message_events.edited(
            message, changed, by=account.id, at=change.now, channel_name=channel_name, recipients=recipients
        )
    )
    return changed


async def _channel_name(connection: AsyncConnection, message: Message) -> str | None:
    """The name of the channel that the message is in; None for a direct message."""
    if message.channel_id is None:
        return None
    return (await channels.find_names(connection, [message.channel_id]))[message.channel_id]


@dataclass(frozen=True, slots=True)
class _Move:
    """What was moved: `message` is the one that was named, as it was before. `followers` follow the old or the new
    channel, and were told in the same transaction.
    """

    message: Message
    moved_ids: Sequence[int]
    target: Channel
    topic: str
    propagate_mode: str
    by: int
    at: datetime
    followers: frozenset[int] = frozenset()

    def limited_to(self, message_ids: Sequence[int]) -> _Move:
        """The same move of some of these messages."""
        named = self.message if self.message.id in message_ids else replace(self.message, id=message_ids[0])
        return replace(self, message=named, moved_ids=message_ids)

    def event(self, channel_name: str, recipients: Iterable[int]) -> Event:
        """The event for accounts that see the messages before and after."""
        return message_events.moved(
            self.message,
            self.moved_ids,
            topic=self.topic,
            channel_id=self.target.id,
            propagate_mode=self.propagate_mode,
            by=self.by,
            at=self.at,
            channel_name=channel_name,
            recipients=without_flags(sorted(recipients)),
        )


async def _move(change: Change, account: Account, message: Message, wanted: MessageChange) -> _Move | None:
    if message.channel_id is None:
        to_channel = wanted.channel_id is not None
        raise Refused(f"Direct messages cannot {'be moved to channels' if to_channel else 'have topics'}.")
    connection = change.connection
    topic = message.topic if wanted.topic is None else checked_topic(wanted.topic)
    channel_id = message.channel_id if wanted.channel_id is None else wanted.channel_id
    if (topic, channel_id) == (message.topic, message.channel_id):
        return None
    target = await channels.find_seen(connection, account, channel_id)
    check_may_move(account, to_other_channel=channel_id != message.channel_id)
    if target is None or (target.is_archived and channel_id != message.channel_id):
        raise invalid_channel()
    moved_ids: Sequence[int] = [message.id]
    if wanted.propagate_mode != "change_one":
        since = message.id if wanted.propagate_mode == "change_later" else 0
        moved_ids = await messages.hold_topic(
            connection, message.channel_id, message.topic, since=since, limit=Cap.MOVED.most + 1
        )
        check_cap(Cap.MOVED, len(moved_ids))
    check_moves(account, await messages.most_moves(connection, moved_ids))
    await messages.move(connection, moved_ids, channel_id=channel_id, topic=topic, by=account.id, at=change.now)
    await follow_move(change, message, channel_id=channel_id, topic=topic)
    move = _Move(message, moved_ids, target, topic, wanted.propagate_mode, account.id, change.now)
    return await _tell_followers(change, move)


async def _tell_followers(change: Change, move: _Move) -> _Move:
    """Tell the followers of the old channel where the messages are now or, if they do not see the new channel, that
    they are gone. Returns the move with everybody who was told.

    Accounts that see only the new channel are not told where the messages were.
    """
    connection, message, target = change.connection, move.message, move.target
    assert message.channel_id is not None
    told = followed_old = await channels.find_active_subscribers(connection, message.channel_id)
    if target.id != message.channel_id:
        old = (await channels.find_by_ids(connection, [message.channel_id]))[message.channel_id]
        followers = await channels.find_active_subscribers(connection, target.id)
        people = await accounts.find_by_ids(connection, followed_old | followers)
        lost = await _without_sight(followed_old, people, target, followers)
        gained = await _without_sight(followers, people, old, followed_old)
        told = followed_old | followers
        if lost:
            change.tell(message_events.deleted(message, move.moved_ids, without_flags(lost)))
        if gained:
            change.tell(
                message_events.arrived(
                    message,
                    move.moved_ids,
                    topic=move.topic,
                    channel_id=target.id,
                    by=move.by,
                    at=move.at,
                    channel_name=target.name,
                    recipients=without_flags(sorted(gained)),
                )
            )
        change.tell(move.event(await _channel_name(connection, message) or "", (told - set(lost)) - set(gained)))
    else:
        change.tell(move.event(await _channel_name(connection, message) or "", told))
    return replace(move, followers=told)


async def _without_sight(
    account_ids: Collection[int], people: Mapping[int, Account], channel: Channel, followers: Collection[int]
) -> list[int]:
    """Those of these accounts that do not see the channel."""
    hidden = await paced(lambda each: not may_see_channel(people[each], channel, followers), account_ids)
    return list(compress(account_ids, hidden))


async def _tell_owners(context: Context, caller: Caller, move: _Move) -> None:
    """Tell the other accounts that have copies of moved messages, like the followers.

    Not in the transaction that moves them: to find these accounts, every copy of every moved message is read, and there
    may be millions. Who gets a copy later gets it where the message is now. Messages that were moved on meanwhile are
    left out: who moved them tells where they are now, and this would arrive after it.
    """
    owners: set[int] = set()
    for some in in_slices(move.moved_ids):
        async with context.reading(caller.origin) as connection:
            owners |= await messages.find_owner_ids(connection, some)
    others = owners - move.followers
    if not others:
        return
    async with context.change(None, origin=caller.origin) as change:
        connection = change.connection
        await take_turn(connection, "moving messages")
        places = await messages.find_places(connection, move.moved_ids)
        here = move.target.id, move.topic
        there = [each for each in move.moved_ids if places.get(each, here)[0] == move.target.id]  # or deleted
        lost: list[int] = []
        if there and move.target.id != move.message.channel_id:
            followers = await channels.find_active_subscribers(connection, move.target.id)
            people = await accounts.find_by_ids(connection, others)
            lost = await _without_sight(sorted(others), people, move.target, followers)
        if lost:
            change.tell(message_events.deleted(move.message, there, without_flags(lost)))
        if unmoved := [each for each in there if places.get(each) == here]:
            move = move.limited_to(unmoved)
            change.tell(move.event(await _channel_name(connection, move.message) or "", others - set(lost)))


async def delete(context: Context, caller: Caller, message_id: int) -> None:
    """Delete a message for everybody. Administrators may, and its author while it may be edited."""
    async with context.change(caller) as change:
        account = change.actor.account
        message = await changeable_message(change.connection, account, message_id, for_change=True)
        check_may_delete(account, message, change.now)
        recipients = await audience(change.connection, message)
        await messages.remove(change.connection, message.id)
        change.tell(message_events.deleted(message, [message.id], recipients))
