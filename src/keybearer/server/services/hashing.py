"""Hashes passwords in threads of their own, few at a time, so that nothing else waits for it."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from typing import TypeVar, final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from keybearer.secret import Secret
from keybearer.server.domain.errors import Overloaded

AT_ONCE = 1
"""Passwords that one worker hashes at the same time. The other processors are for requests."""

NICENESS = 5
"""How far the thread that hashes goes behind the others: Linux gives it a third of the weight of a usual thread."""

MOST_WAITING = 200
"""Passwords that wait for their turn in one worker."""

MOST_WAITING_OF_ONE = 100
"""The part of them that one address may use, so that nobody takes every place."""

T = TypeVar("T")

_argon2 = PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)
"""argon2id with the first of the settings that OWASP recommends. The library's defaults cost four times as much, and
somebody who tries passwords makes the server pay that cost.
"""


@cache
def _hash_of_nothing() -> str:
    """Checked if there is no account, so that the answer takes the same time."""
    return _argon2.hash(secrets.token_urlsafe(32))


def _yield_to_requests() -> None:
    """Give way to threads that answer requests, if there are fewer processors than work. Only Linux supports this."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


@final
class Hasher:
    """The threads of one worker that hash passwords, and the queue for them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords", initializer=_yield_to_requests)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, network: str) -> AsyncIterator[None]:
        """Wait for a turn to check a password from this network. Raises Overloaded if too many wait."""
        if self._waiting.total() >= MOST_WAITING or self._waiting[network] >= MOST_WAITING_OF_ONE:
            raise Overloaded("Too many people are signing in at this moment. Try again soon.")
        self._waiting[network] += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting[network] -= 1
            self._waiting += Counter()  # removes callers that no longer wait
        try:
            yield
        finally:
            self._turns.release()

    async def hash(self, password: Secret) -> str:
        """The argon2id hash of a password. It takes tens of milliseconds on purpose."""
        return await self._run(lambda: _argon2.hash(password.reveal()))

    async def matches(self, password: Secret, stored: str | None) -> bool:
        """Whether the password matches the stored hash. Takes as long if nothing is stored."""

        def verify() -> bool:
            nothing = _hash_of_nothing()
            try:
                _argon2.verify(stored or nothing, password.reveal())
            except (VerificationError, InvalidHashError):
                return False
            return stored is not None and bool(password)

        return await self._run(verify)

    async def renewed(self, password: Secret, stored: str) -> str | None:
        """A new hash of a password if its stored hash was made with weaker settings, otherwise None."""
        return await self.hash(password) if _argon2.check_needs_rehash(stored) else None

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
