"""Delivers events: of the events that a queue asked for, only those that its account may see at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain import bot_events
from keybearer.server.domain.bots import RevealedService
from keybearer.server.domain.event_log import OPEN_TO_ALL, StoredEvent, Subject
from keybearer.server.domain.event_queues import Queue, for_queue, with_muted_topics
from keybearer.server.domain.messaging.user_topics import MUTED_TOPICS, UserTopic, muted_fields
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.sight import Sight
from keybearer.server.storage import bots, sight
from keybearer.server.storage.messaging import user_topics
from keybearer.server.storage.secret_ring import SecretRing

EVENTS_AT_ONCE = 50
"""Events of all polls that are looked at before other work gets a turn."""

WireEvent = Mapping[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class RequestedEvents:
    """The events that a queue asked for with their subjects, before visibility is checked."""

    queue: Queue
    found: Sequence[tuple[Subject, WireEvent]]

    @property
    def account_id(self) -> int:
        """The account that the queue belongs to."""
        return self.queue.account_id


async def requested_of(queue: Queue, stored: Sequence[StoredEvent]) -> RequestedEvents:
    """Which of these events the queue asked for. Its narrow may be long, so other work gets a turn in between."""
    told = await paced(partial(for_queue, queue=queue), stored)
    return _requested(queue, stored, told)


def requested_at_once(queue: Queue, stored: Sequence[StoredEvent]) -> RequestedEvents:
    """The same without a pause, for a few events."""
    return _requested(queue, stored, [for_queue(each, queue) for each in stored])


def _requested(queue: Queue, stored: Sequence[StoredEvent], told: Sequence[WireEvent | None]) -> RequestedEvents:
    pairs = zip(stored, told, strict=True)
    return RequestedEvents(queue, [(each.event.about, fields) for each, fields in pairs if fields is not None])


async def visible(
    connection: AsyncConnection, ring: SecretRing, asked: Sequence[RequestedEvents]
) -> list[list[WireEvent]]:
    """The visible events for each of these requests. Visibility is checked once for all of them together."""
    muting = {each.account_id for each in asked for _, told in each.found if told["type"] == MUTED_TOPICS}
    muted = await user_topics.find_muted(connection, muting) if muting else {}
    hidden = [(each.account_id, about) for each in asked for about, _ in each.found if about != OPEN_TO_ALL]
    hidden += [(account_id, _place(chosen)) for account_id, found in muted.items() for chosen, _ in found]
    seen = Sight()
    if hidden:
        # Polls that get the same event have the same subject. It may name thousands of accounts: it is not compared.
        subjects = {id(about): about for _, about in hidden}
        seen = await sight.find(connection, {account_id for account_id, _ in hidden}, list(subjects.values()))
    shown: list[list[tuple[Subject, WireEvent]]] = []
    bot_ids: set[int] = set()
    looked_at = 0
    for each in asked:
        visible_ones = [(about, told) for about, told in each.found if seen.shows(about, each.account_id)]
        shown.append([(about, await seen.without_hidden(about, told)) for about, told in visible_ones])
        bot_ids.update(about.bot_id or 0 for about, told in shown[-1] if bot_events.has_services(told))
        looked_at += len(each.found)
        if looked_at >= EVENTS_AT_ONCE:
            await asyncio.sleep(0)
            looked_at = 0
    lists = {
        account_id: muted_fields([each for each in found if seen.shows(_place(each[0]), account_id)])
        for account_id, found in muted.items()
    }
    services = await bots.reveal_services(connection, ring, bot_ids) if bot_ids else {}

    def completed(each: RequestedEvents, found: Sequence[tuple[Subject, WireEvent]]) -> list[WireEvent]:
        return [
            with_muted_topics(told, lists[each.account_id], each.queue)
            if told["type"] == MUTED_TOPICS
            else _completed(about.bot_id or 0, told, services)
            for about, told in found
        ]

    return await paced(lambda pair: completed(*pair), zip(asked, shown, strict=True))


def _place(chosen: UserTopic) -> Subject:
    return Subject((chosen.channel_id,))


def _completed(bot_id: int, told: WireEvent, services: Mapping[int, RevealedService]) -> WireEvent:
    return bot_events.with_services(told, services.get(bot_id)) if bot_events.has_services(told) else told
