"""What both clients share: the arguments of their constructors, and the state made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, Unpack

from keybearer.client.flow.newer_key import KeyDestination
from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.flow.state import TIMEOUT, ClientState, user_agent
from keybearer.client.flow.steps import Flow
from keybearer.client.operations.arguments import Seconds, require_types
from keybearer.errors import InvalidArgument
from keybearer.masking import masked
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials, TLSOptions, normalise_site

if TYPE_CHECKING:
    from keybearer.zuliprc.fields import ResolveArguments
    from keybearer.zuliprc.resolver import Resolution


class BaseClient:
    """The base class of both clients. Use Client or AsyncClient."""

    def __init__(
        self,
        credentials: Credentials | Resolution | None = None,
        *,
        client_name: str | None = None,
        timeout: float = TIMEOUT,
        retry: RetryPolicy | None = None,
        read_anew: Callable[[], Credentials] | None = None,
        **settings: Unpack[ResolveArguments],
    ) -> None:
        """Take credentials as they are, or find them as `resolve()` does.

        `settings` are the arguments of `resolve()`: `config_file`, `email`, `api_key`, `site`, `client_cert`,
        `client_cert_key`, `cert_bundle`, `insecure`, `profile`, `environ` and `strict`.

        No connection is opened before the first call. `client_name` is the program's `name/version`, for the
        User-Agent. `timeout` is how many seconds may pass without a byte from the server. `read_anew` returns
        the current credentials when the key is refused; credentials that the client found itself need no `read_anew`.

        Raises ResolutionError if credentials are missing or invalid; InvalidArgument for an argument of the wrong type
        or value; TypeError for credentials together with settings.
        """
        _check_credentials(credentials)
        require_types("a client", {"read_anew": Callable[..., object] | None}, {"read_anew": read_anew})
        replace_key: Callable[[Credentials], KeyDestination] | None = None
        if not settings.get("strict"):
            settings.pop("strict", None)  # the default is not a setting beside credentials
        beside = [name for name, value in settings.items() if value is not None]
        if credentials is not None and beside:
            raise TypeError(f"credentials cannot be combined with {', '.join(beside)}")
        if isinstance(credentials, Credentials):
            found = credentials
        else:
            from keybearer.client.stored_credentials import (  # noqa: PLC0415 - loads the store only when it is needed
                find,
                key_replacement_of,
                reader_of,
            )

            resolution = find(settings) if credentials is None else credentials
            found = resolution.credentials
            replace_key = key_replacement_of(resolution)
            read_anew = read_anew or reader_of(resolution, settings if credentials is None else None)
        state = _new_state(found.site, found, found.tls, client_name=client_name, timeout=timeout, retry=retry)
        state.read_anew = read_anew
        self._start(state, replace_key)

    def _start(self, state: ClientState, replace_key: Callable[[Credentials], KeyDestination] | None) -> None:
        self._state = state
        self._replace_key = replace_key

    def _regeneration(self) -> Flow[Secret]:
        from keybearer.client.flow.regeneration import regenerate  # noqa: PLC0415 - few programs replace their key

        return regenerate(self._state, self._replace_key)

    @classmethod
    def unauthenticated(
        cls,
        site: str,
        *,
        tls: TLSOptions | None = None,
        client_name: str | None = None,
        timeout: float = TIMEOUT,
        retry: RetryPolicy | None = None,
    ) -> Self:
        """A client without a key, for calls that need none: `get_server_settings()` and `fetch_api_key()`.

        Raises ResolutionError for an invalid site; InvalidArgument for an argument of the wrong type.
        """
        require_types("a client", {"site": str, "tls": TLSOptions | None}, {"site": site, "tls": tls})
        client = cls.__new__(cls)
        state = _new_state(site, None, tls or TLSOptions(), client_name=client_name, timeout=timeout, retry=retry)
        client._start(state, None)  # noqa: SLF001 - a constructor of the same class
        return client

    @property
    def email(self) -> str:
        """The account's email."""
        return self._state.credentials.email if self._state.credentials is not None else ""

    @property
    def site(self) -> str | None:
        """The site that calls go to; None if none is set, and then every call raises an error."""
        return self._state.site

    @property
    def credentials(self) -> Credentials | None:
        """The active credentials. Their key is a newer one if it was replaced while the client ran."""
        return self._state.credentials

    def __repr__(self) -> str:
        if not hasattr(self, "_state"):  # the constructor failed, and an error report shows this object
            return f"{type(self).__name__}(not made)"
        return masked(f"{type(self).__name__}(email={self.email!r}, site={self.site!r})")


def _check_credentials(credentials: object) -> None:
    """Raise InvalidArgument for other types than Credentials, and for incomplete credentials."""
    if isinstance(credentials, str):
        raise InvalidArgument(
            "The first argument of a client is Credentials, not text",
            hint="Pass an email, a key, a site or a path by its name: email=, api_key=, site=, config_file=",
        )
    if isinstance(credentials, Credentials):
        wanted = {"email": str, "api_key": Secret, "site": str | None, "token": Secret | None, "tls": TLSOptions}
        require_types("Credentials", wanted, {name: getattr(credentials, name) for name in wanted})
        if not credentials.email or not credentials.api_key:
            raise InvalidArgument("The credentials have no email or no API key", hint="A call needs both")
    elif credentials is not None and not hasattr(credentials, "credentials"):
        raise InvalidArgument(
            f"The first argument of a client is Credentials or what resolve() returns, not {type(credentials).__name__}"
        )


def _new_state(
    site: str | None,
    credentials: Credentials | None,
    tls: TLSOptions,
    *,
    client_name: str | None,
    timeout: float,
    retry: RetryPolicy | None,
) -> ClientState:
    """The state of a new client. Only here does the client normalise a site that a program has passed."""
    require_types(
        "a client",
        {"client_name": str | None, "timeout": Seconds, "retry": RetryPolicy | None},
        {"client_name": client_name, "timeout": timeout, "retry": retry},
    )
    if site is not None:
        site = normalise_site(site)
    return ClientState(
        site=site,
        credentials=None if credentials is None else dataclasses.replace(credentials, site=site),
        tls=tls,
        user_agent=user_agent(client_name),
        timeout=timeout,
        retry=retry or RetryPolicy(),
    )
