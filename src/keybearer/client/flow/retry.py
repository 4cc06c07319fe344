"""When a call is made again, and after how long. Never where the server may have carried out a call that changes
something: only what surely was not processed, or changes nothing, goes twice.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from keybearer.errors import ClientError, RateLimited, ServerFailed, Unreachable

_random = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient a client is.

    `attempts`: how often a call is tried at most. `patience`: seconds that one call may spend waiting, in all, when
    the server says that it has had too many calls (Zulip's window is a minute). `RetryPolicy(attempts=1)` never
    tries again.
    """

    attempts: int = 4
    patience: float = 75.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.patience < 0:
            raise ValueError("a call is tried once at least, and patience is not negative")


class Patience:
    """What is left of a policy during one call."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._tried = 0
        self._waited = 0.0

    def wait_after(self, error: ClientError, *, repeatable: bool) -> float | None:
        """The seconds to wait before the call is tried again; None where it is not to be tried again.

        `repeatable`: the call changes nothing, or the server has surely not seen it.
        """
        self._tried += 1
        if self._tried >= self._policy.attempts:
            return None
        if isinstance(error, RateLimited):
            return self._wait_as_told(error.retry_after)
        if repeatable and isinstance(error, ServerFailed | Unreachable):
            return backoff(self._tried)
        return None

    def _wait_as_told(self, told: float) -> float | None:
        if self._waited + told > self._policy.patience:
            return None
        self._waited += told
        return told + _random.uniform(0.0, min(1.0, 0.1 * told + 0.05))


def backoff(failures: int, longest: float = 60.0) -> float:
    """The seconds to wait after so many failures in a row: half a second, doubled each time, a random half of it off
    so that many clients do not come back at one instant.
    """
    return min(longest, 0.25 * 2.0 ** min(failures, 16)) * _random.uniform(0.5, 1.0)
