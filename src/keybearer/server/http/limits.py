"""How often callers may call, and how many bytes of their requests are held.

Calls and forms are counted by account, failed keys by network. A failing key never limits a valid one, and bodies of
strangers never take the room of known senders.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter
from typing import final

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.errors import Overloaded, Refused, TooManyAttempts
from keybearer.server.domain.limits import (
    BODIES_IN_FLIGHT,
    BODIES_OF_NETWORK,
    BODIES_OF_ONE,
    BODIES_OF_STRANGERS,
    CALLS_OF_BOTS,
    SHARE_OF_NAMED_KEY,
    UNCOUNTED_BODY,
    Quota,
)
from keybearer.server.http.shared_limits import SharedWindows
from keybearer.server.metrics import NO_METRICS, Metrics
from keybearer.server.settings import Limit

RESOLUTION = 0.01
"""Seconds within which calls count as made at the same moment."""


@final
class MovingWindow:
    """At most `most` calls within the last `seconds` for each key, in the memory of one worker. Moments are exact to
    `RESOLUTION`.
    """

    __slots__ = ("_latest", "_next_sweep", "_times", "most", "seconds")

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.seconds = seconds
        self._times: dict[int | str, float | list[float]] = {}
        """When each key was used. A single time is kept without a list, which would take three times the memory."""
        self._latest = time.monotonic()
        self._next_sweep = self._latest + seconds

    @property
    def limit(self) -> Limit:
        """The number of calls, and the time in which they may be made."""
        return Limit(self.most, int(self.seconds))

    def count(self, key: int | str) -> Quota:
        """Count one more call and return what is left. If nothing is left, count nothing and raise TooManyAttempts."""
        now = time.monotonic()
        if now - self._latest < RESOLUTION:
            now = self._latest  # one object instead of many
        else:
            self._latest = now
        if now >= self._next_sweep:
            self._sweep(now)
        start = now - self.seconds
        times = self._times.get(key)
        if times is None or (isinstance(times, float) and times <= start):
            self._times[key] = now
            return Quota(self.most, self.most - 1, int(time.time() + self.seconds))
        if isinstance(times, float):
            times = self._times[key] = [times]  # a deque takes ten times as much
        elif times[0] <= start:
            del times[: bisect_right(times, start)]
        if len(times) >= self.most:
            wait = times[0] - start
            raise TooManyAttempts(retry_after=wait, quota=Quota(self.most, 0, int(time.time() + wait)))
        times.append(now)
        return Quota(self.most, self.most - len(times), int(time.time() + times[0] - start))

    def _sweep(self, now: float) -> None:
        start = now - self.seconds
        self._times = {key: times for key, times in self._times.items() if _newest(times) > start}
        self._next_sweep = now + self.seconds


def _newest(times: float | list[float]) -> float:
    return times if isinstance(times, float) else times[-1]


@final
class Limits:
    """The limits of one worker: on an account's calls, on a network's failed keys, and on all bodies.

    Calls and failed keys that this worker's count allows are also counted in `shared`, if it is given. Then the limits
    hold for all workers and machines together. While `shared` is unavailable, only the limits of this worker hold.
    """

    __slots__ = ("_bodies", "_calls", "_calls_of_bots", "_calls_of_keys", "_failures", "_forms", "_metrics", "shared")

    def __init__(
        self,
        calls_of_account: Limit,
        failures_of_address: Limit,
        metrics: Metrics = NO_METRICS,
        shared: SharedWindows | None = None,
    ) -> None:
        self._metrics = metrics
        self.shared = shared
        self._calls = MovingWindow(*calls_of_account)
        most, seconds = calls_of_account
        self._calls_of_keys = MovingWindow(max(1, most // SHARE_OF_NAMED_KEY), seconds)
        self._calls_of_bots = MovingWindow(most * CALLS_OF_BOTS, seconds)
        self._failures = MovingWindow(*failures_of_address)
        self._forms = MovingWindow(most, seconds)
        self._bodies: Counter[int | str] = Counter()

    def count_call(self, account: Account, key_id: int | None = None) -> Quota:
        """Count a call of an account, of the named key that was used, and of all bots of a bot's owner, in this worker.

        Raises TooManyAttempts if any of them has made too many. A named key that has used up its share takes nothing
        more from its account, and a bot that has used up its own takes nothing from the other bots.
        """
        try:
            of_key = None if key_id is None else self._calls_of_keys.count(key_id)
            quota = self._calls.count(account.id)
            if account.bot_owner_id is not None:
                quota = quota.merged(self._calls_of_bots.count(account.bot_owner_id))
            return quota if of_key is None else quota.merged(of_key)
        except TooManyAttempts:
            self._metrics.note_limit("calls")
            raise

    async def count_shared_call(self, shared: SharedWindows, account: Account, key_id: int | None) -> Quota | None:
        """The same for all workers together. Call it after `count_call`. None if the call cannot be counted there."""
        try:
            of_key = None
            if key_id is not None:
                of_key = await shared.count("calls of keys", self._calls_of_keys.limit, key_id)
            quota = await shared.count("calls", self._calls.limit, account.id)
            if quota is not None and account.bot_owner_id is not None:
                quota = quota.merged(
                    await shared.count("calls of bots", self._calls_of_bots.limit, account.bot_owner_id)
                )
            return None if quota is None else quota.merged(of_key)
        except TooManyAttempts:
            self._metrics.note_limit("calls")
            raise

    def count_form(self, account: Account) -> None:
        """Count a form that an account sends from a page. There may be as many of them as there may be calls.

        Raises TooManyAttempts.
        """
        try:
            self._forms.count(account.id)
        except TooManyAttempts:
            self._metrics.note_limit("forms")
            raise

    async def count_failure(self, network: str, failure: Refused) -> None:
        """Count a failed key from a network.

        Raises TooManyAttempts, which is answered instead of the failure and names it.
        """
        try:
            self._failures.count(network)
            if self.shared is not None:
                await self.shared.count("failed keys", self._failures.limit, network)
        except TooManyAttempts as error:
            self._metrics.note_limit("failed_keys")
            raise TooManyAttempts(retry_after=error.retry_after, quota=error.quota, instead_of=failure) from None

    def hold_body(self, sender: int | str) -> HeldBody:
        """Begin to hold a body from an account, or from the network of a stranger."""
        return HeldBody(self._bodies, sender)


@final
class HeldBody:
    """How much of one request's body its worker holds.

    `bodies` counts the bytes of every sender: of accounts by id, of strangers by network. It also counts the
    bytes of all accounts and of all strangers, under names that no network has.
    """

    __slots__ = ("_bodies", "_counted", "_sender", "_size")

    def __init__(self, bodies: Counter[int | str], sender: int | str) -> None:
        self._bodies = bodies
        self._sender = sender
        self._size = 0
        self._counted = 0

    def add(self, size: int) -> None:
        """Hold more bytes. Raises Overloaded if that is more than the sender, or all senders together, may have."""
        self._size += size
        more = max(0, self._size - UNCOUNTED_BODY) - self._counted
        if not more:
            return
        everybody, most, most_of_one = _shares(self._sender)
        if self._bodies[everybody] + more > most or self._bodies[self._sender] + more > most_of_one:
            raise Overloaded
        self._count(more)

    def release(self) -> None:
        """Release the bytes: the request is answered."""
        self._count(-self._counted)

    def _count(self, size: int) -> None:
        self._counted += size
        for name in (self._sender, _shares(self._sender)[0]):
            self._bodies[name] += size
            if not self._bodies[name]:
                del self._bodies[name]


def _shares(sender: int | str) -> tuple[str, int, int]:
    """The name for all senders of this kind, the bytes that they may have together, and the bytes that one of them may
    have.
    """
    if isinstance(sender, int):
        return "accounts", BODIES_IN_FLIGHT - BODIES_OF_STRANGERS, BODIES_OF_ONE
    return "strangers", BODIES_OF_STRANGERS, BODIES_OF_NETWORK
