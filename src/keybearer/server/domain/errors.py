"""The errors that the rules raise when they refuse something.

    Refused                  a rule forbids it; `message` says so to people, `code` is Zulip's name for it
    ├── NotPermitted         this actor may not
    │   ├── PasswordNeeded       the password must be entered again first
    │   └── KeyRefused           the account may, but not with this key
    │       ├── InsufficientScope    it lacks a scope
    │       ├── WrongNetwork         it may not be used from there
    │       ├── BeyondGrant          the request is about a key that may do more
    │       └── NotForNamedKeys      only the account key may
    ├── Unauthenticated      the sender is unknown, or may not sign in
    │   └── NewPasswordNeeded    the password is right, but another must be chosen first
    ├── TryLater             the request may be repeated after `retry_after` seconds
    │   ├── TooManyAttempts      a limit is reached
    │   └── Overloaded           the server has too much to do at the moment
    ├── CapReached           the maximum of something is reached
    └── WeakPassword         a new password that is not good enough

How a refusal looks on the wire or on a page is decided in `api` and `web`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from keybearer.secret import Secret
from keybearer.server.domain.limits import Cap, Quota


class Refused(Exception):
    """A request that a rule forbids.

    `extra` holds further fields of Zulip's answer. `quota` is what a limit leaves, if a limit was checked.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "BAD_REQUEST",
        extra: Mapping[str, object] | None = None,
        quota: Quota | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.extra: Mapping[str, object] = extra or {}
        self.quota = quota

    @property
    def wire_message(self) -> str:
        """The text by which Zulip's clients know the error."""
        return self.message


class NoSuchFile(Refused):
    """The file does not exist, or the caller may not see it. Both look the same (status 404)."""


class NotPermitted(Refused):
    """The actor's role or kind does not allow it."""

    def __init__(self, message: str = "Insufficient permission", *, code: str = "BAD_REQUEST") -> None:
        super().__init__(message, code=code)


def must_be(title: str) -> NotPermitted:
    """Zulip's refusal for an account whose role is too low. `title` is the lowest role that is enough, such as
    `owner`."""
    return NotPermitted(f"Must be an organization {title}", code="UNAUTHORIZED_PRINCIPAL")


class PasswordNeeded(NotPermitted):
    """The session must enter its password again first (status 403)."""

    def __init__(self) -> None:
        super().__init__("Please enter your password again: it has been a while.", code="PASSWORD_NEEDED")

    @property
    def wire_message(self) -> str:
        """What a program must do next."""
        return (
            "Your password is needed again: send it to POST /json/fetch_api_key first, or call this with your API key."
        )


class KeyRefused(NotPermitted):
    """The account may do it, but not with this key (status 403)."""


class InsufficientScope(KeyRefused):
    """The key lacks scopes that the route needs."""

    def __init__(self, needed: Sequence[str], granted: Sequence[str]) -> None:
        super().__init__(
            f"This API key lacks the scope {' and '.join(needed)}: it has {', '.join(granted)}.",
            code="INSUFFICIENT_SCOPE",
        )


class WrongNetwork(KeyRefused):
    """The key may not be used from the address of the request."""

    def __init__(self) -> None:
        super().__init__("This API key may not be used from this network.", code="NETWORK_NOT_ALLOWED")


class BeyondGrant(KeyRefused):
    """The request is about a key that may do more than the key that was used."""

    def __init__(self) -> None:
        super().__init__(
            "This API key can reveal or change only keys with no further scope, no later end and no wider network than "
            "its own.",
            code="BEYOND_OWN_GRANT",
        )


class NotForNamedKeys(KeyRefused):
    """A named key is never given the account key."""

    def __init__(self) -> None:
        super().__init__(
            "A named API key cannot replace the account key. It replaces itself with "
            "POST users/me/api_keys/current/regenerate.",
            code="NAMED_KEY",
        )


class Unauthenticated(Refused):
    """The credentials are missing or wrong, or their account may not sign in."""

    def __init__(self, message: str, *, code: str = "UNAUTHORIZED", quota: Quota | None = None) -> None:
        super().__init__(message, code=code, quota=quota)


class NewPasswordNeeded(Unauthenticated):
    """Somebody else gave the person this password. They must first choose their own, with the link that holds
    `token`."""

    def __init__(self, token: Secret) -> None:
        super().__init__(
            "An administrator chose this password: sign in with it in a browser, and choose one of your own first.",
            code="PASSWORD_RESET_REQUIRED",
        )
        self.token = token


class NotSetUp(Refused):
    """The request needs an organization, and there is none yet."""

    def __init__(self) -> None:
        super().__init__("This server has no organization yet.")


class NotLoggedIn(Unauthenticated):
    """The request has no credentials, or its session has ended."""

    def __init__(self) -> None:
        super().__init__("Not logged in: API authentication or user session required")


class TryLater(Refused):
    """The request may be repeated after `retry_after` seconds."""

    retry_after: float


class TooManyAttempts(TryLater):
    """A limit is reached (status 429).

    `instead_of` is the refusal that this one replaces, if there is one. The answer includes its message too.
    """

    def __init__(self, *, retry_after: float, quota: Quota | None = None, instead_of: Refused | None = None) -> None:
        minutes = ceil(retry_after / 60)
        wait = f"{minutes} minutes" if minutes > 1 else "a minute"
        super().__init__(
            f"Too many attempts. Try again in {wait}.",
            code="RATE_LIMIT_HIT",
            extra={"retry-after": retry_after} | ({} if instead_of is None else {"refusal": instead_of.message}),
            quota=quota,
        )
        self.retry_after = retry_after
        self._instead_of = instead_of

    @property
    def wire_message(self) -> str:
        """Zulip's words, followed by the message of the refusal that this one replaces."""
        words = "API usage exceeded rate limit"
        return words if self._instead_of is None else f"{words}: {self._instead_of.message}"


class Overloaded(TryLater):
    """The server currently holds as much of something as it can, or too many requests already wait (status 503)."""

    retry_after = 5

    def __init__(self, message: str = "The server has too much to do at the moment. Try again soon.") -> None:
        super().__init__(message, code="SERVICE_UNAVAILABLE")


class CapReached(Refused):
    """The maximum of something is reached. `cap` says of what; `over` says how much more was requested."""

    def __init__(self, cap: Cap, *, code: str = "BAD_REQUEST", over: int = 0) -> None:
        super().__init__(cap.refusal(over=over), code=code)
        self.cap = cap


def check_cap(cap: Cap, count: int) -> None:
    """Raise CapReached if `count` is over the cap."""
    if count > cap.most:
        raise CapReached(cap, over=count - cap.most)


class WeakPassword(Refused):
    """A new password is too short, too long or too easy to guess. `message` says which."""

    def __init__(self, why: str) -> None:
        super().__init__(f"New password is too weak! {why}", extra={"reason": why})

    @property
    def wire_message(self) -> str:
        """Zulip's words. The reason stands next to them as `reason`."""
        return "New password is too weak!"
