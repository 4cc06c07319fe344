"""Deletes topics."""

from __future__ import annotations

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.event_log import without_flags
from keybearer.server.domain.messaging import message_events
from keybearer.server.domain.messaging.channels import invalid_channel
from keybearer.server.domain.messaging.messages import MOST_MESSAGES
from keybearer.server.services.context import Context
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import channels, messages, topics

AT_ONCE = 50
"""Messages that one transaction deletes. Others can write between two transactions."""

COPIES_AT_ONCE = 10_000
"""Copies that go with them. If there are more, one transaction deletes fewer messages, but at least one."""


async def delete(context: Context, caller: Caller, channel_id: int, topic: str) -> bool:
    """Delete the messages of a topic, newest first. False if some are left, so that it must be called again.

    One call deletes a limited number, and they stay deleted if the next piece fails. Raises Refused with Zulip's words.
    """
    for _ in range(MOST_MESSAGES // AT_ONCE):
        if await _delete_some(context, caller, channel_id, topic) == 0:
            return True
    return False


async def _delete_some(context: Context, caller: Caller, channel_id: int, topic: str) -> int:
    async with context.change(caller) as change:
        connection = change.connection
        # The same turn as for moving or deleting a whole topic, so that its messages are always locked in the same
        # order.
        await take_turn(connection, "moving messages")
        channel = await channels.find_seen(connection, change.actor.account, channel_id)
        if channel is None or channel.is_archived:
            raise invalid_channel()
        found = await topics.hold_newest(connection, channel.id, topic, limit=AT_ONCE, copies_limit=COPIES_AT_ONCE)
        if found:
            ids = [message.id for message in found]
            told = await messages.find_owner_ids(connection, ids)
            told |= await channels.find_active_subscribers(connection, channel.id)
            await topics.remove(connection, ids)
            change.tell(message_events.deleted(found[0], ids, without_flags(sorted(told))))
        return len(found)
