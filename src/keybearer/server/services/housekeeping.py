"""Sweeping out what is over: sessions, links, counted attempts, events that nobody waits for, and old records."""

from __future__ import annotations

import asyncio
from functools import partial

from keybearer.server.services.background import SLICE, every, repeat
from keybearer.server.services.context import Context
from keybearer.server.storage import attempts, audit, event_log, links, mails, sessions

SWEEP_EVERY = 3600.0

PAUSE = 0.02
"""Seconds between two slices, in which writers of other processes have their turn."""

_SWEEPS = (
    sessions.remove_ended,
    links.remove_expired,
    attempts.remove_old,
    event_log.remove_idle_queues,
    event_log.remove_read,
    audit.remove_old,
    mails.remove_given_up,
)


async def sweep(context: Context) -> None:
    """Remove the rows of what is over, a slice in each transaction. Readers do not depend on it: they look at times."""
    for remove in _SWEEPS:
        removed = SLICE
        while removed == SLICE:
            async with context.change(None) as change:
                removed = await remove(change.connection, change.now, limit=SLICE)
            await asyncio.sleep(PAUSE)


async def sweep_regularly(context: Context) -> None:
    """Sweep every hour until cancelled."""
    await repeat(partial(sweep, context), wait=every(SWEEP_EVERY), what="the sweep")
