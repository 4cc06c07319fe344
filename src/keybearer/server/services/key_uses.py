"""Records how keys are used, without making a request wait for it."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from itertools import islice

from keybearer.errors import StorageError
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.api_keys import APIKeyRecord, KeyUse
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.once_every import OnceEvery
from keybearer.server.services import mail_texts
from keybearer.server.services.background import in_slices, repeat, woken_by
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import owner_of, the_account, the_realm
from keybearer.server.storage import api_keys, key_uses
from keybearer.server.storage.audit import printable
from keybearer.server.storage.key_uses import NewUse

WRITE_EVERY = 30.0
"""Seconds between two writes of last uses. They are at most this late, well under the promised minute."""

MANY_USES = 20_000
"""Keys whose uses are collected until they are written early."""

MOST_USES = 50_000
"""Keys whose uses are kept in memory while they cannot be written."""

LATE_USE_EVERY = timedelta(minutes=1)
LOST_LOGGED_EVERY = timedelta(hours=1)

_log = logging.getLogger(__name__)


class UseRecorder:
    """Collects the uses of keys in memory and writes them every half minute, or earlier if many keys are used. So no
    request waits for a write.

    While the database cannot be written, uses are kept for at most `MOST_USES` keys. The log says if there are more.

    A use of a key that was revoked, replaced or has expired is written at once, at most once a minute for each key. The
    first one is mailed to the owner. If a named key is stored under an old secret of the ring, its digest under the new
    secret is written with the uses.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._uses: dict[int, tuple[datetime, RequestOrigin]] = {}
        self._newest = RequestOrigin()
        self._many = asyncio.Event()
        self._lost: OnceEvery[None] = OnceEvery(LOST_LOGGED_EVERY, context.clock)
        self._old_digests: dict[int, Secret] = {}
        self._late: set[asyncio.Task[None]] = set()
        self._late_keys: OnceEvery[int] = OnceEvery(LATE_USE_EVERY, context.clock)

    def note(self, key_id: int, origin: RequestOrigin) -> None:
        """Record that a live key was used now."""
        uses = self._uses
        if origin == self._newest:
            origin = self._newest  # one object for many keys: a program may use thousands
        else:
            self._newest = origin
        uses[key_id] = self._context.clock(), origin
        if len(uses) >= MANY_USES:
            self._many.set()
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Keep the uses of at most `MOST_USES` keys, and log if some are lost."""
        too_many = len(self._uses) - MOST_USES
        if too_many <= 0:
            return
        for key_id in list(islice(self._uses, too_many)):
            del self._uses[key_id]
        if self._lost.is_due(None):
            _log.warning("the last uses of some keys are lost: too many wait to be written; logged once an hour")

    def note_old_digest(self, key_id: int, key: Secret) -> None:
        """Record that a named key was used that is stored under an old secret of the ring."""
        self._old_digests[key_id] = key

    def note_late(self, key_id: int, account: Account, origin: RequestOrigin) -> None:
        """Record that an ended key was used now. It is written while the request continues."""
        self._context.metrics.note_late_use()
        if not self._late_keys.is_due(key_id):
            return
        task = asyncio.get_running_loop().create_task(write_late_use(self._context, key_id, account, origin))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def write(self) -> None:
        """Write what was collected. On failure it is kept for the next time."""
        await self._write_digests()
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            for some in in_slices(list(uses.items())):
                new = [
                    NewUse(key_id, KeyUse(at, origin.address, printable(origin.client)))
                    for key_id, (at, origin) in some
                ]
                async with self._context.change(None) as change:
                    await key_uses.record_uses(change.connection, new)
        except BaseException:
            self._uses = uses | self._uses
            self._drop_oldest()
            raise

    async def _write_digests(self) -> None:
        keys, self._old_digests = self._old_digests, {}
        for some in in_slices(list(keys.items())):
            async with self._context.change(None) as change:
                for key_id, key in some:
                    await api_keys.replace_digest(change.connection, key_id, self._context.ring.digest(key))

    async def run(self) -> None:
        """Write every half minute, or earlier, until cancelled, and then once more."""
        try:
            wait = woken_by(self._many, at_latest=WRITE_EVERY)
            await repeat(self.write, wait=wait, what="writing the last uses of keys", finally_too=True)
        finally:
            await asyncio.gather(*self._late, return_exceptions=True)


async def write_late_use(context: Context, key_id: int, account: Account, origin: RequestOrigin) -> None:
    """Write now that an ended key was used, at most once a minute for each key. A failure is only logged."""
    try:
        async with context.change(None, origin=origin) as change:
            use = KeyUse(change.now, origin.address, printable(origin.client))
            before = await key_uses.find_late_use(change.connection, key_id)
            written = await key_uses.record_late_use(
                change.connection, NewUse(key_id, use), at_most_every=LATE_USE_EVERY
            )
            if written:
                record = await api_keys.find(change.connection, key_id)
                assert record is not None
                details = {"key": key_id, "name": record.name}
                await change.record(AuditEvent.API_KEY_LATE_USE, account, details=details)
                if before is None:
                    await _send_alarm(change, record, use)
    except StorageError:
        return  # the database logs it itself
    except Exception:  # noqa: BLE001  it must not make the request fail
        _log.exception("the use of a key that has ended could not be written")
        return
    if before is None:
        _log.warning(
            "an API key of %s (account %d) that has ended is still used, from %s by %s; logged once per key",
            printable(account.full_name),
            account.id,
            origin.address,
            use.client,
            extra={"account_id": account.id, "address": origin.address},
        )


async def _send_alarm(change: Change, record: APIKeyRecord, use: KeyUse) -> None:
    """Mail the owner of an ended key that somebody uses it."""
    holder = await the_account(change.connection, None, record.account_id)
    owner = await owner_of(change.connection, holder)
    if owner is not None:
        realm = await the_realm(change.connection)
        await change.send(mail_texts.ended_key_used(realm, owner, holder, record, use))
