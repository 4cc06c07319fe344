"""Deletes what has ended: sessions, links, counted attempts, events that nobody waits for, and old records."""

from __future__ import annotations

import asyncio
from functools import partial

from keybearer.server.domain.api_keys import END_MAILS, APIKeyRecord
from keybearer.server.services import mail_texts
from keybearer.server.services.background import SLICE, every, repeat
from keybearer.server.services.context import Change, Context
from keybearer.server.services.lookups import owner_of, the_account, the_realm
from keybearer.server.storage import attempts, audit, event_log, key_ends, links, mails, sent_forms, sessions

SWEEP_EVERY = 3600.0

FIRST_MAILS_AFTER = 60.0
"""Seconds after the start. A server that is started again more than once an hour still sends these mails."""

PAUSE = 0.02
"""Seconds between two slices, in which writers of other processes get their turn."""

_SWEEPS = (
    sessions.remove_ended,
    links.remove_expired,
    sent_forms.remove_old,
    attempts.remove_old,
    event_log.remove_idle_queues,
    event_log.remove_read,
    audit.remove_old,
    mails.remove_given_up,
)


async def sweep(context: Context) -> None:
    """Remove the rows of what has ended, a slice in each transaction. Readers do not depend on it: they compare
    times.
    """
    for remove in _SWEEPS:
        removed = SLICE
        while removed == SLICE:
            async with context.change(None) as change:
                removed = await remove(change.connection, change.now, limit=SLICE)
            await asyncio.sleep(PAUSE)


async def mail_about_ends(context: Context) -> None:
    """Mail the owners of keys that end soon, once for each of the times before the end. If two mails are due, only the
    later is sent.
    """
    for number, within in reversed(list(enumerate(END_MAILS, start=1))):
        found = SLICE
        while found == SLICE:
            async with context.change(None) as change:
                ending = await key_ends.take_ending(
                    change.connection, change.now, within=within, mails=number, limit=SLICE
                )
                found = len(ending)
                for record in ending:
                    await _mail_about_end(change, record)
            await asyncio.sleep(PAUSE)


async def _mail_about_end(change: Change, record: APIKeyRecord) -> None:
    holder = await the_account(change.connection, None, record.account_id)
    owner = await owner_of(change.connection, holder)
    if holder.is_active and owner is not None and owner.is_active:
        realm = await the_realm(change.connection)
        await change.send(mail_texts.key_ends(realm, owner, holder, record))


async def _mail_regularly(context: Context) -> None:
    await asyncio.sleep(FIRST_MAILS_AFTER)
    wait = every(SWEEP_EVERY)
    await repeat(partial(mail_about_ends, context), wait=wait, what="the mails about the ends of keys", at_once=True)


async def sweep_regularly(context: Context) -> None:
    """Delete ended rows, and mail owners about keys that end soon, every hour until cancelled."""
    await asyncio.gather(
        repeat(partial(sweep, context), wait=every(SWEEP_EVERY), what="the sweep"),
        _mail_regularly(context),
    )
