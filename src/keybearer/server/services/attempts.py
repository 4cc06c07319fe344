"""Counting attempts: in one transaction with what they are about, or before it."""

from __future__ import annotations

from keybearer.server.domain.errors import TooManyAttempts
from keybearer.server.domain.limits import LONGEST_WINDOW, WINDOWS, AttemptKind, Quota, judge
from keybearer.server.services.context import Change
from keybearer.server.storage import attempts

SUBJECT_MAX_LENGTH = 320


async def count(change: Change, kind: AttemptKind, subject: str) -> Quota:
    """Count an attempt from where the request comes, and say what is left.

    Raises TooManyAttempts where nothing is; an attempt that is refused is not counted, so that waiting helps.
    """
    subject, address = subject[:SUBJECT_MAX_LENGTH], change.origin.network
    times = await attempts.find_times(
        change.connection, kind, subject=subject, address=address, since=change.now - LONGEST_WINDOW
    )
    verdict = judge(WINDOWS[kind], times, change.now)
    if not verdict.allowed:
        wait = max(verdict.wait.total_seconds(), 0.001)
        raise TooManyAttempts(retry_after=wait, quota=verdict.quota)
    await attempts.add(change.connection, kind, subject=subject, address=address, at=change.now)
    return verdict.quota


async def forget(change: Change, kind: AttemptKind, subject: str, *, everywhere: bool = False) -> None:
    """Forget the attempts for a subject that came from where the request comes from, or from everywhere."""
    address = None if everywhere else change.origin.network
    await attempts.forget(change.connection, kind, subject=subject[:SUBJECT_MAX_LENGTH], address=address)
