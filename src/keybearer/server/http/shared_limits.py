"""Calls counted for all workers and machines together, in Redis or Valkey.

The store is optional: while it is unavailable each worker uses its own count, and no request waits long for it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import time
from typing import TYPE_CHECKING, Any, final
from urllib.parse import urlsplit, urlunsplit

from limits import RateLimitItem, RateLimitItemPerSecond, errors
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from keybearer.errors import SettingError, StorageError
from keybearer.server.domain.errors import TooManyAttempts
from keybearer.server.domain.limits import Quota
from keybearer.server.settings import VARIABLES, Limit

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

ANSWERED_WITHIN = 1.0
"""Seconds that a request waits for an answer."""

CONNECTIONS = 8
"""Connections that a worker keeps open. Further calls at the same time wait for their turn, which is short."""

AGAIN_AFTER = 5.0
"""Seconds after a failure until a request tries again."""

VARIABLE = VARIABLES["limits_url"]
USUAL_PORT = 6379
_PREFIX = "keybearer"
_FAILURES = (errors.StorageError, OSError, TimeoutError)

_log = logging.getLogger(__name__)


@final
class SharedWindows:
    """Moving windows shared by all workers and machines that use the same Redis or Valkey."""

    def __init__(self, url: str, again_after: float = AGAIN_AFTER, answered_within: float = ANSWERED_WITHIN) -> None:
        """Nothing is connected yet. A request waits `answered_within` seconds; after a failure, the next attempt is
        made after `again_after` seconds.

        Raises StorageError if the package for it is missing, SettingError for an address that cannot be used.
        """
        if importlib.util.find_spec("redis") is None:
            raise StorageError(
                f"{VARIABLE} needs the package redis", hint="Install it with: pip install 'keybearer[server,redis]'"
            )
        try:
            address = _normalized_url(url)
            self._pool = _pool(address, answered_within)
            options: dict[str, Any] = {"connection_pool": self._pool}  # RedisStorage's type leaves it out
            self._storage = RedisStorage(
                f"async+{address}", implementation="redispy", key_prefix=_PREFIX, wrap_exceptions=True, **options
            )
        except (errors.ConfigurationError, ValueError):
            raise SettingError(VARIABLE, "this is not the address of a Redis or Valkey") from None
        self._windows = MovingWindowRateLimiter(self._storage)
        self._items: dict[Limit, RateLimitItem] = {}
        self._again_after = again_after
        self._answered_within = answered_within
        self._is_away = False
        self._ask_again_at = 0.0
        self._changed_at = 0.0

    async def count(self, name: str, limit: Limit, key: int | str) -> Quota | None:
        """Count one more call and return what is left. None if the call cannot be counted there at present.

        If nothing is left, counts nothing and raises TooManyAttempts.
        """
        if self._is_away:
            if time.monotonic() < self._ask_again_at:
                return None
            # Other calls do not wait for the answer in the meantime.
            self._ask_again_at = time.monotonic() + self._again_after
        began = time.monotonic()
        item = self._item(limit)
        try:
            async with asyncio.timeout(self._answered_within):
                is_allowed = await self._windows.hit(item, name, str(key))
                reset, remaining = await self._windows.get_window_stats(item, name, str(key))
        except _FAILURES as error:
            self._note_failure(error, began)
            return None
        self._note_success()
        quota = Quota(limit.amount, remaining if is_allowed else 0, int(reset))
        if not is_allowed:
            raise TooManyAttempts(retry_after=max(0.0, reset - time.time()), quota=quota)
        return quota

    def _item(self, limit: Limit) -> RateLimitItem:
        item = self._items.get(limit)
        if item is None:
            item = self._items[limit] = RateLimitItemPerSecond(limit.amount, limit.seconds)
        return item

    def _note_failure(self, error: Exception, began: float) -> None:
        if began < self._changed_at:  # another call has already noted its state since then
            return
        self._ask_again_at = time.monotonic() + self._again_after
        if not self._is_away:
            self._is_away, self._changed_at = True, time.monotonic()
            reason = "it does not answer" if isinstance(error, TimeoutError) else error
            _log.warning("%s cannot be used, and this worker counts calls by itself: %s", VARIABLE, reason)

    def _note_success(self) -> None:
        if self._is_away:
            self._is_away, self._changed_at = False, time.monotonic()
            _log.warning("%s can be used again: calls are counted for all workers", VARIABLE)

    async def is_available(self) -> bool:
        """Whether the store answers."""
        try:
            async with asyncio.timeout(self._answered_within):
                return bool(await self._storage.check())
        except _FAILURES:
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def _pool(address: str, seconds: float) -> ConnectionPool:
    """The pool of connections. With a connection for each call, a burst would spend its time on handshakes."""
    from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 (the package may not be installed if it is not used)

    return BlockingConnectionPool.from_url(
        address.replace("redis+unix:", "unix:", 1),
        max_connections=CONNECTIONS,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
    )


def _normalized_url(url: str) -> str:
    """The address with its port, and with the scheme of Redis: Valkey speaks the same protocol, so one package is
    enough.
    """
    parts = urlsplit(re.sub("^valkey", "redis", url))
    if parts.netloc and parts.port is None:
        parts = parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{USUAL_PORT}")
    return urlunsplit(parts)
