"""Refused calls of known accounts: logged with a reason, and written into the audit log at most once a minute
for an account and a reason."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar, final

from keybearer.errors import StorageError
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.services.context import Context

RECORDED_EVERY = timedelta(minutes=1)
"""How often a refusal of one account is written down in one worker: whoever tries on and on fills no log."""

K = TypeVar("K")

_log = logging.getLogger(__name__)


@final
class OnceEvery(Generic[K]):
    """Says of each key whether it is its turn again: at most once within a time, in one worker."""

    def __init__(self, within: timedelta, clock: Callable[[], datetime]) -> None:
        self._within = within
        self._clock = clock
        self._last: dict[K, datetime] = {}
        self._next_sweep = clock() + within

    def is_due(self, key: K) -> bool:
        """Whether the last turn of this key is long enough ago; if so, this is one."""
        now = self._clock()
        if now >= self._next_sweep:
            self._last = {each: at for each, at in self._last.items() if now - at < self._within}
            self._next_sweep = now + self._within
        last = self._last.get(key)
        if last is not None and now - last < self._within:
            return False
        self._last[key] = now
        return True


class RefusalRecorder:
    """Writes down that an account tried what it may not, beside the request: no answer waits for it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._recorded: OnceEvery[tuple[int, str]] = OnceEvery(RECORDED_EVERY, context.clock)
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, account: Account, origin: RequestOrigin, reason: str) -> None:
        """A call of this account was refused, now. `reason` is a text of the program's own, never of the client's."""
        if not self._recorded.is_due((account.id, reason)):
            return
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
        except StorageError:
            pass  # the database says so itself
        except Exception:  # noqa: BLE001  it must not end the request it is about
            _log.exception("a refused call could not be written into the audit log")
