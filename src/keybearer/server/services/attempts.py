"""Counts attempts: reset requests before they are answered, passwords when they turn out to be wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from keybearer.server.domain.accounts import email_key
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.attempts import (
    LONGEST_WINDOW,
    WINDOWS,
    AttemptKind,
    PasswordHistory,
    Verdict,
    judge,
    judge_password,
)
from keybearer.server.domain.errors import TooManyAttempts
from keybearer.server.domain.limits import Quota
from keybearer.server.metrics import Metrics
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.storage import attempts

SUBJECT_MAX_LENGTH = 320

SIGN_IN_NOTED_EVERY = timedelta(days=1)
"""How precisely the last sign-in from an address is known. Not every sign-in is worth a write."""


async def count(change: Change, kind: AttemptKind, subject: str, metrics: Metrics) -> Quota:
    """Count an attempt from where the request was sent, and return what is left.

    Raises TooManyAttempts if nothing is left. A refused attempt is not counted, so that waiting helps.
    """
    subject, address = subject[:SUBJECT_MAX_LENGTH], change.origin.network
    times = await attempts.find_times(
        change.connection, kind, subject=subject, address=address, since=change.now - LONGEST_WINDOW
    )
    quota = _checked_quota(judge(WINDOWS[kind], times, change.now), metrics)
    await attempts.add(change.connection, kind, subject=subject, address=address, at=change.now)
    return quota


def _checked_quota(verdict: Verdict, metrics: Metrics) -> Quota:
    if not verdict.allowed:
        metrics.note_limit("attempts")
        raise TooManyAttempts(retry_after=max(verdict.wait.total_seconds(), 0.001), quota=verdict.quota)
    return verdict.quota


@dataclass(frozen=True, slots=True)
class PasswordAttempt:
    """An attempt in progress. It counts only if it fails; `quota` is what is left then."""

    subject: str
    origin: RequestOrigin
    history: PasswordHistory
    quota: Quota
    metrics: Metrics

    async def fail(self, change: Change) -> None:
        """The password was wrong, or the account may not sign in: count it.

        Raises TooManyAttempts if other attempts in progress have used up the limit. Then the answer says nothing more.
        """
        self.metrics.note_sign_in("failed")
        address = self.origin.network
        await attempts.take_turn_for(change.connection, self.subject, address)
        history = await attempts.find_history(change.connection, self.subject, address, change.now)
        _checked_quota(judge_password(history, change.now), self.metrics)
        await attempts.add(
            change.connection, AttemptKind.PASSWORD, subject=self.subject, address=address, at=change.now
        )

    async def succeed(self, change: Change) -> None:
        """The password was right: forget the failures from this address, and note that the account signs in from it."""
        self.metrics.note_sign_in("succeeded")
        connection, subject, address = change.connection, self.subject, self.origin.network
        if self.history.own:
            await attempts.forget(connection, AttemptKind.PASSWORD, subject=subject, address=address)
        last = self.history.signed_in_at
        if last is None or last < change.now - SIGN_IN_NOTED_EVERY:
            await attempts.forget(connection, AttemptKind.SIGN_IN, subject=subject, address=address)
            await attempts.add(connection, AttemptKind.SIGN_IN, subject=subject, address=address, at=change.now)


@asynccontextmanager
async def trying_password(context: Context, email: str, origin: RequestOrigin) -> AsyncIterator[PasswordAttempt]:
    """A turn to check a password for this email, whether or not an account has it.

    An attempt in progress is not a failure. But only a few are in progress at the same time, so a burst of wrong
    passwords exceeds the limit only slightly. Raises TooManyAttempts, and Overloaded if too many wait for their turn.
    """
    subject = email_key(email)[:SUBJECT_MAX_LENGTH]
    await _read_attempt(context, subject, origin)  # callers without attempts left do not wait for a turn
    async with context.hasher.turn(origin.network):
        yield await _read_attempt(context, subject, origin)


async def _read_attempt(context: Context, subject: str, origin: RequestOrigin) -> PasswordAttempt:
    now: datetime = context.clock()
    async with context.reading(origin) as connection:
        history = await attempts.find_history(connection, subject, origin.network, now)
    quota = _checked_quota(judge_password(history, now), context.metrics)
    return PasswordAttempt(subject, origin, history, quota, context.metrics)


async def forget_passwords(change: Change, email: str) -> None:
    """Forget the wrong passwords for an email, from all addresses, because it has a new one."""
    await attempts.forget(change.connection, AttemptKind.PASSWORD, subject=email_key(email)[:SUBJECT_MAX_LENGTH])
