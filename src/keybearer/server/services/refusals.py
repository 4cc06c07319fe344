"""Refused calls of known accounts. They are logged with a reason, and written into the audit log at most once a minute
for an account and a reason.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from keybearer.errors import StorageError
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.once_every import OnceEvery
from keybearer.server.services import mail_texts
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import the_realm
from keybearer.server.storage import accounts

RECORDED_EVERY = timedelta(minutes=1)
"""How often one worker records a refusal of one account, so that repeated attempts do not fill the log."""

TOLD_EVERY = timedelta(days=1)
"""How often one worker mails the owner of a key that it was sent where it is not safe."""

_log = logging.getLogger(__name__)


class RefusalRecorder:
    """Records that an account tried what it may not, next to the request: no answer waits for it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._recorded: OnceEvery[tuple[int, str]] = OnceEvery(RECORDED_EVERY, context.clock)
        self._told: OnceEvery[int] = OnceEvery(TOLD_EVERY, context.clock)
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, account: Account, origin: RequestOrigin, reason: str, *, tells_owner: bool = False) -> None:
        """Record that a call of this account was refused now. `reason` is the program's own text, never the client's.

        `tells_owner` also mails the owner of the key, once a day for an account, that it was sent where it is not safe.
        """
        if not self._recorded.is_due((account.id, reason)):
            return
        about = {"account_id": account.id, "address": origin.address}
        _log.info("refused a call of account %d from %s: %s", account.id, origin.address, reason, extra=about)
        task = asyncio.get_running_loop().create_task(self._write(account, origin, reason, tells_owner=tells_owner))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def finish(self) -> None:
        """Wait until everything recorded is written."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def _write(self, account: Account, origin: RequestOrigin, reason: str, *, tells_owner: bool) -> None:
        try:
            async with self._context.change(None, origin=origin) as change:
                await change.record(AuditEvent.CALL_REFUSED, account, details={"reason": reason})
                if tells_owner and self._told.is_due(account.id):
                    await _mail_owner(change, account)
        except StorageError:
            pass  # the database logs it itself
        except Exception:  # noqa: BLE001  it must not make the request fail
            _log.exception("a refused call could not be written into the audit log")


async def _mail_owner(change: Change, account: Account) -> None:
    owner_id = account.bot_owner_id
    owner = account if owner_id is None else await accounts.find(change.connection, owner_id)
    if owner is not None and owner.is_active and not owner.is_bot:
        realm = await the_realm(change.connection)
        await change.send(mail_texts.key_in_address(realm, owner, account, at=change.now, origin=change.origin))
