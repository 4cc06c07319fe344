"""Whether this server can currently do its work."""

from __future__ import annotations

import asyncio
import logging
import time

from keybearer.errors import KeybearerError
from keybearer.server.services.context import Context
from keybearer.server.storage import schema
from keybearer.server.storage.secret_ring import SecretRing

CHECKED_WITHIN = 5.0
"""Seconds after which a database that does not answer counts as unreachable."""

READY_LASTS = 1.0
"""Seconds for which a server that was found ready is not checked again. Anybody may ask, as often as they like."""

_log = logging.getLogger(__name__)


class Health:
    """Checks what the server depends on. The log says why it is not ready, once for each reason.

    Those who ask while a check runs share its result, so that questions cannot use up the database's connections.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._is_stopping = False
        self._logged: str | None = None
        self._check: asyncio.Task[str | None] | None = None
        self._ready_until = 0.0

    def stop(self) -> None:
        """Report from now on that the server is not ready, because it is about to stop."""
        self._is_stopping = True

    async def is_ready(self) -> bool:
        """Whether the database can be used, it has this program's schema, and the secrets can be read."""
        problem = "it is stopping" if self._is_stopping else await self._checked()
        if problem != self._logged:
            self._logged = problem
            if problem is None:
                _log.info("the server is ready again")
            else:
                _log.warning("the server is not ready: %s", problem)
        return problem is None

    async def _checked(self) -> str | None:
        if time.monotonic() < self._ready_until:
            return None
        if self._check is None:
            self._check = asyncio.create_task(self._problem())
            self._check.add_done_callback(self._end_check)
        return await asyncio.shield(self._check)

    def _end_check(self, check: asyncio.Task[str | None]) -> None:
        self._check = None
        if not check.cancelled() and check.exception() is None and check.result() is None:
            self._ready_until = time.monotonic() + READY_LASTS

    async def _problem(self) -> str | None:
        try:
            await asyncio.to_thread(SecretRing.load, self._context.settings.secrets_file)
            async with asyncio.timeout(CHECKED_WITHIN), self._context.reading() as connection:
                await schema.check(connection)
        except TimeoutError:
            return "the database does not answer"
        except KeybearerError as error:
            return str(error)
        return None
