"""Sweeping out what is over: sessions, links, counted attempts and events that nobody waits for."""

from __future__ import annotations

from functools import partial

from keybearer.server.domain.limits import LONGEST_WINDOW
from keybearer.server.services.background import every, repeat
from keybearer.server.services.context import Context
from keybearer.server.storage import attempts, event_log, links, sessions

SWEEP_EVERY = 3600.0


async def sweep(context: Context) -> None:
    """Remove the rows of what is over. Nothing depends on it: readers look at the times themselves."""
    async with context.change(None) as change:
        await sessions.remove_ended(change.connection, change.now)
        await links.remove_expired(change.connection, change.now)
        await attempts.remove_old(change.connection, change.now - LONGEST_WINDOW)
        await event_log.remove_idle_queues(change.connection, change.now)
        await event_log.remove_read(change.connection)


async def sweep_regularly(context: Context) -> None:
    """Sweep every hour until cancelled."""
    await repeat(partial(sweep, context), wait=every(SWEEP_EVERY), what="the sweep")
