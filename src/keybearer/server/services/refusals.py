"""Refused calls of known accounts: logged with a reason, and written into the audit log at most once a minute."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.services.context import Context

RECORDED_EVERY = timedelta(minutes=1)
"""How often a refusal of one account is written down in one worker: whoever tries on and on fills no log."""

_log = logging.getLogger(__name__)


class RefusalRecorder:
    """Writes down that an account tried what it may not, beside the request: no answer waits for it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._recorded: dict[int, datetime] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, account: Account, origin: RequestOrigin, reason: str) -> None:
        """A call of this account was refused, now. `reason` is a text of the program's own, never of the client's."""
        now = self._context.clock()
        last = self._recorded.get(account.id)
        if last is not None and now - last < RECORDED_EVERY:
            return
        self._recorded = {account_id: at for account_id, at in self._recorded.items() if now - at < RECORDED_EVERY} | {
            account.id: now
        }
        _log.info("refused a call of account %d from %s: %s", account.id, origin.address, reason)
        task = asyncio.get_running_loop().create_task(self._write(account, origin, reason))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def finish(self) -> None:
        """Wait until everything noted is written."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def _write(self, account: Account, origin: RequestOrigin, reason: str) -> None:
        try:
            async with self._context.change(None, origin=origin) as change:
                await change.record(AuditEvent.CALL_REFUSED, account, details={"reason": reason})
        except Exception:  # noqa: BLE001  it must not end the request it is about
            _log.exception("a refused call could not be written into the audit log")
