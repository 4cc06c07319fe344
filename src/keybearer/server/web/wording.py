"""Sentences that several pages share."""

from __future__ import annotations

import math

from keybearer.errors import KeybearerError
from keybearer.server.domain.errors import Refused, TooManyAttempts


def refusal_words(refusal: Refused | KeybearerError) -> str:
    """What a form says when its wish is refused: one sentence, and how long to wait where that is the matter."""
    if isinstance(refusal, TooManyAttempts):
        return f"Too many attempts. Please try again in {duration(refusal.retry_after)}."
    if isinstance(refusal, Refused):
        return refusal.message
    return str(refusal)


def duration(seconds: float) -> str:
    """A time to wait, rounded up: `40 seconds`, `12 minutes`."""
    if seconds < 60:
        return _counted(math.ceil(seconds), "second")
    return _counted(math.ceil(seconds / 60), "minute")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
