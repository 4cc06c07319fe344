"""What the rules answer when they say no.

    Refused                  a rule forbids it; `message` is Zulip's text, `code` its machine-readable name
    ├── NotPermitted         this actor may not
    ├── Unauthenticated      who is asking is not known, or not welcome
    └── TooManyAttempts      `retry_after` seconds from now it may be tried again

How a refusal looks on a wire or a page is the business of `api` and `web`.
"""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """A request that a rule forbids. `extra` are further fields of Zulip's answer."""

    def __init__(self, message: str, *, code: str = "BAD_REQUEST", extra: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.extra: Mapping[str, object] = extra or {}


class NotPermitted(Refused):
    """The actor's role or kind does not allow it."""

    def __init__(self, message: str = "Insufficient permission", *, code: str = "BAD_REQUEST") -> None:
        super().__init__(message, code=code)


class Unauthenticated(Refused):
    """The credentials are missing, wrong, or of an account that may not enter."""

    def __init__(self, message: str, *, code: str = "UNAUTHORIZED") -> None:
        super().__init__(message, code=code)


class TooManyAttempts(Refused):
    """A limit is reached. `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, code="RATE_LIMIT_HIT", extra={"retry-after": retry_after})
        self.retry_after = retry_after
