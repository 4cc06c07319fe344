"""Reports that are made at most once within a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar, final

K = TypeVar("K", bound=Hashable)


@final
class OnceEvery(Generic[K]):
    """Says for each key whether it is due again: at most once within a time, in one worker."""

    def __init__(self, within: timedelta, clock: Callable[[], datetime]) -> None:
        self._within = within
        self._clock = clock
        self._last: dict[K, datetime] = {}
        self._next_sweep = clock() + within

    def is_due(self, key: K) -> bool:
        """Whether enough time has passed since this key was last due. If so, it counts as due now."""
        now = self._clock()
        if now >= self._next_sweep:
            self._last = {each: at for each, at in self._last.items() if now - at < self._within}
            self._next_sweep = now + self._within
        last = self._last.get(key)
        if last is not None and now - last < self._within:
            return False
        self._last[key] = now
        return True
