"""Deletes what has ended: sessions, links, counted attempts, events that nobody waits for, and old records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from keybearer.server.domain.api_keys import END_MAILS, APIKeyRecord
from keybearer.server.domain.mails import Mail
from keybearer.server.domain.pacing import paced
from keybearer.server.services import mail_texts
from keybearer.server.services.background import SLICE, every, repeat
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_realm
from keybearer.server.storage import accounts, attempts, audit, event_log, key_ends, links, mails, sent_forms, sessions

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
                await _mail_about(change, ending)
            await asyncio.sleep(PAUSE)


async def _mail_about(change: Change, ending: Sequence[APIKeyRecord]) -> None:
    """Mail the owners of these keys that the keys end soon."""
    holders = await accounts.find_by_ids(change.connection, {record.account_id for record in ending})
    owners = await accounts.find_by_ids(change.connection, {holder.person_id for holder in holders.values()})
    realm = await the_realm(change.connection)

    def told(record: APIKeyRecord) -> Mail | None:
        holder = holders[record.account_id]
        owner = owners.get(holder.person_id)
        if owner is None or owner.is_bot or not (holder.is_active and owner.is_active):
            return None
        return mail_texts.key_ends(realm, owner, holder, record)

    await change.send(*await paced(told, ending))


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
