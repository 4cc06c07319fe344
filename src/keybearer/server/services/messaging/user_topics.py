"""Mutes, unmutes and follows topics."""

from __future__ import annotations

from dataclasses import replace

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused, check_cap
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.messaging.channels import invalid_channel, name_key
from keybearer.server.domain.messaging.messages import Message, checked_topic
from keybearer.server.domain.messaging.user_topics import (
    TopicPolicy,
    UserTopic,
    changed,
    muted_topics_changed,
)
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import channels, topics, user_topics


async def choose(context: Context, caller: Caller, channel: str | int, topic: str, policy: TopicPolicy) -> None:
    """Choose a policy for a topic of a channel that the actor sees. `NONE` resets it. Doing it twice is not an error.

    Raises Refused with Zulip's words for a channel that the actor does not see.
    """
    topic = checked_topic(topic)
    async with context.change(caller) as change:
        connection, actor = change.connection, change.actor
        found = await channels.find_seen(connection, actor.account, channel)
        if found is None or found.is_archived:
            raise invalid_channel() if isinstance(channel, int) else Refused(f"Invalid channel name '{channel}'")
        chosen = UserTopic(actor.id, found.id, topic, policy, change.now)
        await take_turn(connection, f"user topics:{actor.id}")
        if policy is TopicPolicy.NONE:
            if not await user_topics.remove(connection, actor.id, found.id, topic):
                return
        else:
            before = await user_topics.count(connection, actor.id)
            await user_topics.save(connection, chosen)
            after = await user_topics.count(connection, actor.id)
            check_cap(Cap.USER_TOPICS, after)
            if after > before:
                together = await user_topics.count_of_person(connection, actor.account.person_id)
                check_cap(Cap.USER_TOPICS_OF_PERSON, together)
        change.tell(muted_topics_changed([actor.id]), changed(chosen))


async def follow_move(change: Change, before: Message, *, channel_id: int, topic: str) -> None:
    """Move the policies that accounts chose for a message's former topic to the place where all of its messages are
    now.
    """
    connection, old_id = change.connection, before.channel_id
    assert old_id is not None
    if name_key(topic) == name_key(before.topic) and channel_id == old_id:
        return
    if await topics.has_messages(connection, old_id, before.topic):
        return
    place = UserTopic(0, channel_id, topic, TopicPolicy.NONE, change.now)
    gone = replace(place, channel_id=old_id, topic=before.topic)
    moved, forgotten = await user_topics.move(connection, (old_id, before.topic), place)
    muting = [each for policies in (moved, forgotten) for each in policies.get(TopicPolicy.MUTED, ())]
    if muting:
        change.tell(muted_topics_changed(muting))
    for account_ids in forgotten.values():
        change.tell(changed(gone, account_ids))
    for policy, account_ids in moved.items():
        change.tell(changed(gone, account_ids), changed(replace(place, policy=policy), account_ids))
