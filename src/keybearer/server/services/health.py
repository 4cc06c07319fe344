"""Whether this server can currently do its work."""

from __future__ import annotations

import asyncio
import logging

from keybearer.errors import KeybearerError
from keybearer.server.services.context import Context
from keybearer.server.storage import schema
from keybearer.server.storage.secret_ring import SecretRing

CHECKED_WITHIN = 5.0
"""Seconds after which a database that does not answer counts as unreachable."""

_log = logging.getLogger(__name__)


class Health:
    """Checks what the server depends on. The log says why it is not ready, once for each reason."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._is_stopping = False
        self._logged: str | None = None

    def stop(self) -> None:
        """Report from now on that the server is not ready, because it is about to stop."""
        self._is_stopping = True

    async def is_ready(self) -> bool:
        """Whether the database can be used, it has this program's schema, and the secrets can be read."""
        problem = "it is stopping" if self._is_stopping else await self._problem()
        if problem != self._logged:
            self._logged = problem
            if problem is None:
                _log.info("the server is ready again")
            else:
                _log.warning("the server is not ready: %s", problem)
        return problem is None

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
