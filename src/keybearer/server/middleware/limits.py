"""How often somebody may ask: calls by account, failed keys by address. A failing key never limits a good one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from keybearer.server.domain.errors import TooManyAttempts


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left to an account: the `X-RateLimit-*` headers of an answer."""

    limit: int
    remaining: int
    reset: int


class Limits:
    """Counters of one worker; the notation is that of the limits package, as in `200/minute`."""

    def __init__(self, api_limit: str, failure_limit: str) -> None:
        self._calls: RateLimitItem = parse(api_limit)
        self._failures: RateLimitItem = parse(failure_limit)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count_call(self, account_id: int) -> tuple[Quota, bool]:
        """Count a call of an account: what is left, and whether the call is allowed."""
        key = str(account_id)
        allowed = self._limiter.hit(self._calls, "account", key)
        stats = self._limiter.get_window_stats(self._calls, "account", key)
        return Quota(self._calls.amount, stats.remaining, int(stats.reset_time)), allowed

    def seconds_left(self, account_id: int) -> float:
        """Seconds until an account that reached its limit may call again."""
        stats = self._limiter.get_window_stats(self._calls, "account", str(account_id))
        return max(0.001, stats.reset_time - time.time())

    def count_failure(self, address: str) -> None:
        """Count a failed key from an address. Raises TooManyAttempts in place of the failing answer."""
        if not self._limiter.hit(self._failures, "address", address):
            stats = self._limiter.get_window_stats(self._failures, "address", address)
            raise TooManyAttempts(
                "API usage exceeded rate limit", retry_after=max(0.001, stats.reset_time - time.time())
            )
