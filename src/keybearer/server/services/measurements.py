"""Measures what no request shows: what waits in the database, the connections in use, and the event loop's delay."""

from __future__ import annotations

import asyncio
import time

from keybearer.server.metrics import BACKLOGS
from keybearer.server.services.background import every, repeat
from keybearer.server.services.context import Context
from keybearer.server.storage import event_log, mails
from keybearer.server.storage.messaging import webhook_calls

MEASURE_EVERY = 15.0
LOOP_MEASURED_EVERY = 0.5

_COUNTERS = {
    "mails": mails.count,
    "mails_given_up": mails.count_given_up,
    "events": event_log.count,
    "event_queues": event_log.count_all_queues,
    "webhook_calls": webhook_calls.count,
}
assert _COUNTERS.keys() == BACKLOGS.keys()


async def measure(context: Context) -> None:
    """Measure once."""
    metrics = context.metrics
    metrics.set_waiting_polls(context.hub.count_waiting())
    for pool, count in context.database.connections_in_use().items():
        metrics.set_connections(pool, count)
    async with context.reading() as connection:
        for of, counted in _COUNTERS.items():
            metrics.set_backlog(of, await counted(connection))


async def measure_regularly(context: Context) -> None:
    """Measure every quarter of a minute until cancelled. Does nothing if metrics are off."""
    if context.metrics.is_on:
        await asyncio.gather(
            repeat(lambda: measure(context), wait=every(MEASURE_EVERY), what="measuring", at_once=True),
            _watch_loop(context),
        )


async def _watch_loop(context: Context) -> None:
    while True:
        due = time.perf_counter() + LOOP_MEASURED_EVERY
        await asyncio.sleep(LOOP_MEASURED_EVERY)
        context.metrics.note_loop_delay(max(0.0, time.perf_counter() - due))
