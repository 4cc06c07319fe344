"""Every public error of the library and the client.

    KeybearerError
    ├── ResolutionError          no usable credentials; `.kind` says why
    ├── UnsafeValueError         a value that a zuliprc cannot contain (also a ValueError)
    ├── FileError                a file that cannot be read or written
    │   └── KeyNotStored         a new API key is not in the file; `.kept` is where it is
    ├── RegenerationRefused      no new API key was requested, since it could not be stored
    ├── SettingError             a server setting that cannot be used; `.variable` names it
    ├── StorageError             the server's database cannot be used
    │   ├── SchemaError          its schema is missing, older or newer than that of this program
    │   └── SecretRingError      the secrets file is missing, unsafe or does not belong to the database
    ├── PackageMissing           an optional part of Keybearer is not installed (also an ImportError)
    └── ClientError              a call that did not succeed
        ├── UnusableRequest      a call that cannot be sent as a request (also a ValueError)
        │   └── InvalidArgument  an argument of the wrong type or value
        ├── ClientClosed         the client was closed before it started to listen
        ├── ConnectionFailed     no response was received
        │   ├── Unreachable
        │   ├── TimedOut
        │   └── TLSFailed        `.reason` says why
        ├── NotAZulipServer      the response is not from Zulip
        ├── Redirected           the site is somewhere else
        └── APIError             Zulip answered with an error: `.code`, `.status`, `.answer`
            ├── AuthenticationRefused
            │   ├── InvalidAPIKey
            │   ├── MalformedAPIKey
            │   ├── AccountDeactivated
            │   ├── OrganizationDeactivated
            │   ├── WrongSite
            │   └── PasswordRefused
            ├── RateLimited      `.retry_after` seconds
            ├── EventQueueLost
            └── ServerFailed     status 5xx

No error contains the text of a line, a key or a password in its message, arguments or cause. A text that is
shaped like a key is masked in every text of an error (`keybearer.masking`).
"""

from __future__ import annotations

from collections.abc import Mapping

from keybearer.masking import masked, masked_json


class KeybearerError(Exception):
    """The base of all errors. `message` says what is wrong and where, and `hint` (may be empty) what to do next."""

    _verbatim = frozenset[str]()

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(masked(message), masked(hint))
        self.message = message
        self.hint = hint

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute. If the value is a text, every key in it is masked."""
        super().__setattr__(name, masked(value) if isinstance(value, str) and name not in self._verbatim else value)

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by attributes, since the arguments of subclasses differ from those that Exception stores."""
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(cls: type[KeybearerError], args: tuple[object, ...], state: dict[str, object]) -> KeybearerError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ResolutionError(KeybearerError):
    """The credentials are missing, incomplete or invalid.

    `kind` is one of the kinds listed in the reference (`missing_key`, `bad_boolean`, ...); `place` is where: a
    path with its line (`/home/me/.zuliprc:3`), a variable or an argument; empty if there is none.
    """

    def __init__(self, kind: str, message: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.place = place

    def __str__(self) -> str:
        text = super().__str__()
        return f"{self.place}: {text}" if self.place else text


class UnsafeValueError(KeybearerError, ValueError):
    """A value that a zuliprc cannot contain, such as one with a line break."""

    kind = "unsafe_value"


class FileError(KeybearerError):
    """A file or directory that cannot be read, written or locked."""


class PackageMissing(KeybearerError, ImportError):
    """The packages of an optional part of Keybearer are not installed. The hint has the command that installs them."""


class SettingError(KeybearerError):
    """A setting of the server that cannot be used. `variable` is its name in the environment."""

    def __init__(self, variable: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{variable}: {message}", hint=hint)
        self.variable = variable


class StorageError(KeybearerError):
    """The server's database cannot be reached, opened, read or written. The operation did not happen, unless
    the error occurred during the commit: then it may have happened."""


class SchemaError(StorageError):
    """The database's schema is missing, older or newer than that of this program."""


class SecretRingError(StorageError):
    """The secrets file is missing, unsafe, or lacks a secret that the database needs."""


class KeyNotStored(FileError):
    """The server has issued a new API key, and the file still has the old one, which no longer works.

    `kept` is the path of the file that has the new key; None if it could not be written anywhere.
    """

    _verbatim = frozenset({"kept"})  # a program moves that file

    def __init__(self, message: str, *, kept: str | None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kept = kept


class RegenerationRefused(KeybearerError):
    """No new API key was requested, since there is no place to store it. The old one still works."""


class ClientError(KeybearerError):
    """A call to the server that did not succeed."""


class UnusableRequest(ClientError, ValueError):
    """A call that cannot be sent: its path is outside the API, or a value is not JSON. Nothing was sent."""


class InvalidArgument(UnusableRequest):
    """An argument of the wrong type or value. Nothing was sent and nothing was changed."""


class ClientClosed(ClientError):
    """The client was closed before it started to listen for events."""


class ConnectionFailed(ClientError):
    """No response was received. The server may or may not have carried out the call."""


class Unreachable(ConnectionFailed):
    """No connection: unknown host, refused, reset, or a proxy that does not answer."""


class TimedOut(ConnectionFailed):
    """The server did not answer in time."""


class TLSFailed(ConnectionFailed):
    """The TLS handshake failed or could not be prepared.

    `reason` is one of `unknown_issuer`, `name_mismatch`, `expired`, `not_yet_valid`, `not_acceptable`,
    `client_certificate_required`, `bad_client_certificate`, `bad_bundle`, `not_tls` and `other`. With `not_tls` and
    `other`, no certificate was judged: the handshake was cut off.
    """

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class NotAZulipServer(ClientError):
    """Something answered at the site, but not a Zulip server."""

    kind = "not_a_zulip_server"


class Redirected(ClientError):
    """The server redirects the call to `location`. Nothing was sent there: a person decides whether it is right."""

    def __init__(self, message: str, *, location: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.location = location


class APIError(ClientError):
    """The server answered with an error.

    `code` is Zulip's name of the error (`BAD_REQUEST`, ...), `status` the HTTP status, `answer` the whole JSON answer.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        answer: Mapping[str, object] | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.status = status
        self.answer: Mapping[str, object] = masked_json(dict(answer or {}))


class AuthenticationRefused(APIError):
    """The server does not accept the credentials (status 401)."""


class InvalidAPIKey(AuthenticationRefused):
    """No account has this key: it was replaced by a newer one, or belongs to another email or site."""


class MalformedAPIKey(AuthenticationRefused):
    """The key is not 32 letters and digits."""


class AccountDeactivated(AuthenticationRefused):
    """The account exists and is deactivated."""


class OrganizationDeactivated(AuthenticationRefused):
    """The whole organization is deactivated."""


class WrongSite(AuthenticationRefused):
    """The key is for another organization of this server, or this address has no organization."""


class PasswordRefused(AuthenticationRefused):
    """The user name or the password is wrong, or the organization does not use passwords."""


class RateLimited(APIError):
    """Too many calls; `retry_after` is the number of seconds to wait."""

    def __init__(
        self, message: str, *, retry_after: float, answer: Mapping[str, object] | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, code="RATE_LIMIT_HIT", status=429, answer=answer, hint=hint)
        self.retry_after = retry_after


class EventQueueLost(APIError):
    """The event queue does not exist any more (`BAD_EVENT_QUEUE_ID`): register a new one."""


class ServerFailed(APIError):
    """The server failed (status 5xx)."""
