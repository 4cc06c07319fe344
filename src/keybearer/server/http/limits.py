"""How often somebody may ask: calls by account, failed keys by address. A failing key never limits a good one."""

from __future__ import annotations

import time
from collections import deque
from typing import final

from keybearer.server.domain.errors import TooManyAttempts, Unauthenticated
from keybearer.server.domain.limits import Quota
from keybearer.server.settings import Limit


@final
class MovingWindow:
    """At most `most` within the last `seconds` for each key, counted exactly, in the memory of one worker."""

    __slots__ = ("_next_sweep", "_times", "most", "seconds")

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.seconds = seconds
        self._times: dict[int | str, deque[float]] = {}
        self._next_sweep = time.monotonic() + seconds

    def count(self, key: int | str) -> Quota:
        """Count one more and say what is left. Raises TooManyAttempts, and counts nothing, where nothing is."""
        now = time.monotonic()
        if now >= self._next_sweep:
            self._sweep(now)
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = deque()
        start = now - self.seconds
        while times and times[0] <= start:
            times.popleft()
        if len(times) >= self.most:
            wait = times[0] - start
            raise TooManyAttempts(retry_after=wait, quota=Quota(self.most, 0, int(time.time() + wait)))
        times.append(now)
        return Quota(self.most, self.most - len(times), int(time.time() + times[0] - start))

    def _sweep(self, now: float) -> None:
        start = now - self.seconds
        self._times = {key: times for key, times in self._times.items() if times and times[-1] > start}
        self._next_sweep = now + self.seconds


@final
class Limits:
    """The limits of one worker: on the calls of an account, and on the failed keys of a network."""

    __slots__ = ("_calls", "_failures")

    def __init__(self, calls_of_account: Limit, failures_of_address: Limit) -> None:
        self._calls = MovingWindow(*calls_of_account)
        self._failures = MovingWindow(*failures_of_address)

    def count_call(self, account_id: int) -> Quota:
        """Count a call of an account. Raises TooManyAttempts where it has made too many."""
        return self._calls.count(account_id)

    def count_failure(self, network: str, failure: Unauthenticated) -> None:
        """Count a failed key from a network.

        Raises TooManyAttempts, to be answered in place of the failure, which it names.
        """
        try:
            self._failures.count(network)
        except TooManyAttempts as error:
            raise TooManyAttempts(retry_after=error.retry_after, quota=error.quota, instead_of=failure) from None
