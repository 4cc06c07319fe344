"""Delivery of events: of those that a queue asked for, only the ones that its account may see at that moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import final

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.event_log import OPEN_TO_ALL, StoredEvent
from keybearer.server.domain.event_queues import Queue, for_queue
from keybearer.server.domain.visibility import Sight
from keybearer.server.storage import sight

WireEvent = Mapping[str, object]


@final
class Asked:
    """Those of some events that a queue asked for, before visibility is asked."""

    def __init__(self, queue: Queue, stored: Iterable[StoredEvent]) -> None:
        self.account_id = queue.account_id
        self.found = [(each.event.about, told) for each in stored if (told := for_queue(each, queue)) is not None]


async def visible(connection: AsyncConnection, asked: Sequence[Asked]) -> list[list[WireEvent]]:
    """The events that each of these may see. Visibility is asked once for all of them together."""
    hidden = [(each.account_id, about) for each in asked for about, _ in each.found if about != OPEN_TO_ALL]
    seen = Sight()
    if hidden:
        account_ids, subjects = zip(*hidden, strict=True)
        seen = await sight.find(connection, account_ids, set(subjects))
    return [
        [seen.without_hidden(about, told) for about, told in each.found if seen.shows(about, each.account_id)]
        for each in asked
    ]
