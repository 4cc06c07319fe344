"""Opens and closes event queues. Reading them is in `event_hub.py`."""

from __future__ import annotations

import uuid
from datetime import timedelta

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import check_cap
from keybearer.server.domain.event_queues import Queue, QueueOptions, bad_queue
from keybearer.server.domain.limits import Cap
from keybearer.server.services.context import Context
from keybearer.server.storage import event_log


async def open_queue(context: Context, caller: Caller, options: QueueOptions, idle_timeout: timedelta) -> Queue:
    """A new queue that begins now. Raises CapReached if the person behind the actor has too many, or the filter is too
    long.
    """
    check_cap(Cap.QUEUE_FILTER, len(event_log.options_text(options)))
    async with context.change(caller) as change:
        actor = change.actor
        open_ones = await event_log.count_queues(change.connection, actor.account.person_id, change.now)
        check_cap(Cap.QUEUES, open_ones + 1)
        last = await event_log.last_id(change.connection)
        queue = Queue(str(uuid.uuid4()), actor.id, last, last, change.now, idle_timeout, options)
        await event_log.add_queue(change.connection, queue)
        return queue


async def close_queue(context: Context, caller: Caller, queue_id: str) -> None:
    """Close one of the actor's queues. Raises Refused with Zulip's words."""
    async with context.change(caller) as change:
        actor = change.actor
        queue = await event_log.find_queue(change.connection, queue_id)
        if queue is None or queue.account_id != actor.id:
            raise bad_queue(queue_id)
        await event_log.remove_queue(change.connection, queue_id)
