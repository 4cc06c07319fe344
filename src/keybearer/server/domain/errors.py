"""What the rules answer when they say no.

    Refused                  a rule forbids it; `message` says so to people, `code` is Zulip's name for it
    ├── NotPermitted         this actor may not
    │   ├── PasswordNeeded       not before the password is given again
    │   └── KeyRefused           the account may, and not with this key
    │       ├── InsufficientScope    it lacks a scope
    │       ├── WrongNetwork         it may not be used from there
    │       ├── BeyondGrant          it would yield or change a key that may do more
    │       └── NotForNamedKeys      only the account key can
    ├── Unauthenticated      who is asking is not known, or not welcome
    │   └── NewPasswordNeeded    the password is right, and lets them in only to choose another one
    ├── TryLater             `retry_after` seconds from now it may be tried again
    │   ├── TooManyAttempts      a limit is reached
    │   └── Overloaded           the server has too much to do at the moment
    ├── CapReached           there is as much of something as there may be
    └── WeakPassword         a new password that is not good enough

How a refusal looks on a wire or a page is the business of `api` and `web`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from keybearer.secret import Secret
from keybearer.server.domain.limits import Cap, Quota


class Refused(Exception):
    """A request that a rule forbids.

    `extra` are further fields of Zulip's answer, `quota` what a limit leaves where one was asked.
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
        """The text that Zulip's clients know it by."""
        return self.message


class NoSuchFile(Refused):
    """There is no such file, or the caller may not see it: the two look alike (status 404)."""


class NotPermitted(Refused):
    """The actor's role or kind does not allow it."""

    def __init__(self, message: str = "Insufficient permission", *, code: str = "BAD_REQUEST") -> None:
        super().__init__(message, code=code)


def must_be(title: str) -> NotPermitted:
    """Zulip's refusal of an account whose role is too low: `title` is the least that it needs, such as `owner`."""
    return NotPermitted(f"Must be an organization {title}", code="UNAUTHORIZED_PRINCIPAL")


class PasswordNeeded(NotPermitted):
    """The session has to give its password again first (status 403)."""

    def __init__(self) -> None:
        super().__init__("Please enter your password again: it has been a while.", code="PASSWORD_NEEDED")

    @property
    def wire_message(self) -> str:
        """What a program does next."""
        return (
            "Your password is needed again: send it to POST /json/fetch_api_key first, or call this with your API key."
        )


class KeyRefused(NotPermitted):
    """The account may do it, and not with this key (status 403)."""


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
    """The key asks for a key that may do more than it."""

    def __init__(self) -> None:
        super().__init__(
            "This API key can yield or change only keys with no further scope, no later end and no wider network than "
            "its own.",
            code="BEYOND_OWN_GRANT",
        )


class NotForNamedKeys(KeyRefused):
    """A named key never receives the account key."""

    def __init__(self) -> None:
        super().__init__(
            "A named API key cannot replace the account key. It replaces itself with "
            "POST users/me/api_keys/current/regenerate.",
            code="NAMED_KEY",
        )


class Unauthenticated(Refused):
    """The credentials are missing, wrong, or of an account that may not enter."""

    def __init__(self, message: str, *, code: str = "UNAUTHORIZED", quota: Quota | None = None) -> None:
        super().__init__(message, code=code, quota=quota)


class NewPasswordNeeded(Unauthenticated):
    """The password was given to the person by somebody else: they choose their own first, by the link of `token`."""

    def __init__(self, token: Secret) -> None:
        super().__init__(
            "An administrator chose this password: sign in with it in a browser, and choose one of your own first.",
            code="PASSWORD_RESET_REQUIRED",
        )
        self.token = token


class NotSetUp(Refused):
    """There is no organization yet, and what was asked for needs one."""

    def __init__(self) -> None:
        super().__init__("This server has no organization yet.")


class NotLoggedIn(Unauthenticated):
    """Nobody said who is asking, or the session that said so is over."""

    def __init__(self) -> None:
        super().__init__("Not logged in: API authentication or user session required")


class TryLater(Refused):
    """What was asked for may be tried again `retry_after` seconds from now."""

    retry_after: float


class TooManyAttempts(TryLater):
    """A limit is reached (status 429).

    `instead_of` is the refusal that it stands in place of, where it is one: the answer says it too.
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
        """Zulip's words, and those of the refusal that it stands in place of."""
        words = "API usage exceeded rate limit"
        return words if self._instead_of is None else f"{words}: {self._instead_of.message}"


class Overloaded(TryLater):
    """The server holds as much of something as it can at the moment, or too many wait already (status 503)."""

    retry_after = 5

    def __init__(self, message: str = "The server has too much to do at the moment. Try again soon.") -> None:
        super().__init__(message, code="SERVICE_UNAVAILABLE")


class CapReached(Refused):
    """There is as much of something as there may be; `cap` says of what, `over` how much more was asked for."""

    def __init__(self, cap: Cap, *, code: str = "BAD_REQUEST", over: int = 0) -> None:
        super().__init__(cap.refusal(over=over), code=code)
        self.cap = cap


def check_cap(cap: Cap, count: int) -> None:
    """Raise CapReached where `count` is more than there may be."""
    if count > cap.most:
        raise CapReached(cap, over=count - cap.most)


class WeakPassword(Refused):
    """A new password is too short, too long or too easy to guess; `message` says which."""

    def __init__(self, why: str) -> None:
        super().__init__(f"New password is too weak! {why}", extra={"reason": why})

    @property
    def wire_message(self) -> str:
        """Zulip's words; why stands beside them as `reason`."""
        return "New password is too weak!"
