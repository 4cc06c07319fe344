"""When a call is tried again, and after how long.

A call is sent twice only if it changes nothing or the server has certainly not processed it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from keybearer.errors import ClientError, InvalidArgument, RateLimited, ServerFailed, TLSFailed, Unreachable


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a call is tried.

    `attempts` is the highest number of tries. `patience` is how many seconds in all one call may wait when the server
    limits calls (Zulip's window is a minute). `RetryPolicy(attempts=1)` never tries again.
    """

    attempts: int = 4
    patience: float = 75.0

    def __post_init__(self) -> None:
        kinds: tuple[object, object] = (self.attempts, self.patience)
        if not (isinstance(kinds[0], int) and isinstance(kinds[1], int | float) and math.isfinite(self.patience)):
            raise InvalidArgument("attempts of a RetryPolicy is a whole number, and patience a number of seconds")
        if self.attempts < 1 or self.patience < 0:
            raise InvalidArgument("A call is tried at least once, and patience is not negative")


class Patience:
    """The tries and seconds that remain of a policy during one call."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._tried = 0
        self._waited = 0.0

    def wait_after(self, error: ClientError, *, repeatable: bool) -> float | None:
        """The seconds to wait before the next try; None to give up.

        `repeatable` means that the call changes nothing, or that the server has certainly not processed it.
        """
        self._tried += 1
        if self._tried >= self._policy.attempts:
            return None
        if isinstance(error, RateLimited):
            return self._wait_as_asked(error.retry_after)
        if repeatable and (isinstance(error, ServerFailed | Unreachable) or is_cut_handshake(error)):
            return backoff(self._tried)
        return None

    def _wait_as_asked(self, seconds: float) -> float | None:
        if self._waited + seconds > self._policy.patience:
            return None
        self._waited += seconds
        return seconds + _between(0.0, min(1.0, 0.1 * seconds + 0.05))


def is_cut_handshake(error: ClientError) -> bool:
    """Whether a TLS handshake was cut off before any certificate was judged, as by a proxy whose server restarts."""
    return isinstance(error, TLSFailed) and error.reason in {"other", "not_tls"}


def backoff(failures: int, longest: float = 60.0) -> float:
    """The seconds to wait after this many failures in a row: half a second, doubled each time, minus a random part.

    The random part, up to half, keeps many clients from returning at the same moment.
    """
    return min(longest, 0.25 * 2.0 ** min(failures, 16)) * _between(0.5, 1.0)


def _between(low: float, high: float) -> float:
    import random  # noqa: PLC0415 - few calls are tried again

    return random.SystemRandom().uniform(low, high)
