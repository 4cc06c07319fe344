"""Asks the server for its version, its time, and whether it accepts the key."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from keybearer import api_key
from keybearer.cli.commands.doctor.certificates import of_reason
from keybearer.cli.commands.doctor.findings import Finding, of_error
from keybearer.cli.key_display import described, ending
from keybearer.cli.user_display import email_of, kind_of
from keybearer.client.flow.protocol import flow_of
from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.flow.state import ClientState, user_agent
from keybearer.client.flow.steps import Response, Step
from keybearer.client.http.proxies import Proxy
from keybearer.client.http.runner import Runner
from keybearer.client.models.accounts import Profile
from keybearer.client.models.api_keys import APIKey
from keybearer.client.models.server import ServerSettings
from keybearer.client.operations.accounts import get_profile
from keybearer.client.operations.api_keys import get_current_api_key
from keybearer.client.operations.operation import Operation
from keybearer.client.operations.server import get_server_settings
from keybearer.errors import (
    AccountDeactivated,
    AuthenticationRefused,
    ClientError,
    ConnectionFailed,
    InvalidAPIKey,
    MalformedAPIKey,
    NotAZulipServer,
    OrganizationDeactivated,
    RateLimited,
    Redirected,
    ServerFailed,
    TLSFailed,
    Unreachable,
    WrongSite,
)
from keybearer.zuliprc.credentials import Credentials, TLSOptions

T = TypeVar("T")

SOON = 7 * 86400.0
"""Seconds before the end of a key when the warning starts."""

MOST_SKEW = 60.0
"""The most seconds by which the clocks may differ without a warning."""

_KIND_OF: dict[type[ClientError], str] = {
    InvalidAPIKey: "key_refused",
    MalformedAPIKey: "key_refused",
    AccountDeactivated: "account_deactivated",
    OrganizationDeactivated: "organization_deactivated",
    WrongSite: "wrong_site",
    RateLimited: "rate_limited",
    Redirected: "redirected",
    NotAZulipServer: "not_a_zulip_server",
    ServerFailed: "server_failed",
}


class _Listener(Runner):
    """A runner that stores the time in the server's response."""

    def __init__(self, state: ClientState, context: ssl.SSLContext | None) -> None:
        super().__init__(state, context)
        self.transport()  # raises an error here if the certificate files or the proxy cannot be used
        self.skew: float | None = None
        """Seconds by which this machine's clock is ahead of the server's; None if unknown."""

    def take(self, step: Step) -> object:
        outcome = super().take(step)
        if isinstance(outcome, Response):
            try:
                there = parsedate_to_datetime(outcome.headers.get("date", ""))
                self.skew = (datetime.now(UTC) - there).total_seconds()
            except (TypeError, ValueError):
                pass  # a server need not send it
        return outcome


def check_server(
    site: str,
    credentials: Credentials | None,
    tls: TLSOptions,
    context: ssl.SSLContext | None,
    *,
    timeout: float,
    proxy: Proxy | None,
) -> Iterator[Finding]:
    """Ask the server what it is, and with credentials, whether it accepts them. Each is one request without a retry.

    If the key is one of Keybearer's, a further request asks which key it is.
    """
    state = ClientState(
        site=site,
        credentials=credentials,
        tls=tls,
        user_agent=user_agent(),
        timeout=timeout,
        retry=RetryPolicy(attempts=1),
    )
    try:
        listener = _Listener(state, context)
    except Unreachable as error:
        yield of_error(error, "proxy_unusable", proxy.variable if proxy else "")
        return
    try:
        settings = _ask(listener, get_server_settings())
        yield from _about_server(settings, site)
        yield from _about_clock(listener.skew)
        if credentials is not None:
            key = _key_in_use(listener, credentials)
            if key is not None and not key.is_account_key:
                yield from _about_key(key, site)
            if key is None or "read" in key.scopes:
                yield from _about_account(_ask(listener, get_profile()), credentials, site)
    except ClientError as error:
        yield _of_failure(error, site, proxy)
    finally:
        listener.close()


def _ask(listener: Runner, call: Operation[T]) -> T:
    return listener.run(flow_of(listener.state, call))


def _about_server(settings: ServerSettings, site: str) -> Iterator[Finding]:
    level = settings.zulip_feature_level
    name = f", {settings.realm_name}" if settings.realm_name else ""
    version = f"Zulip {settings.zulip_version}"
    if settings.get("is_incompatible") is True:
        yield Finding("old_server", f"{version} reports that it does not support this client", site, "Upgrade either")
    elif not level:
        yield Finding(
            "old_server",
            f"{version} is from before 2020 and has no feature level; much of its API is different",
            site,
            "Its operator should upgrade it",
        )
    else:
        yield Finding("server_told", f"{version}, feature level {level}{name}", site)


def _about_clock(skew: float | None) -> Iterator[Finding]:
    if skew is None or abs(skew) <= MOST_SKEW:
        return
    amount, unit = (abs(skew) / 60, "minutes") if abs(skew) < 7200 else (abs(skew) / 3600, "hours")
    yield Finding(
        "clock_skew",
        f"This machine's clock is {amount:.0f} {unit} {'ahead of' if skew > 0 else 'behind'} the server's",
        "",
        "Set the clock, preferably with NTP: the validity of certificates depends on it",
    )


def _key_in_use(listener: Runner, credentials: Credentials) -> APIKey | None:
    """The server's data about the key; None if the server has no named keys, or refuses the key."""
    if not api_key.is_ours(credentials.api_key.reveal()):
        return None
    try:
        return _ask(listener, get_current_api_key())
    except ClientError:
        return None  # the next call reports the reason


def _about_key(key: APIKey, site: str) -> Iterator[Finding]:
    yield Finding("named_key", f"The key is the {described(key)}", site)
    if key.expires_at is not None and key.expires_at - datetime.now(UTC).timestamp() < SOON:
        yield Finding(
            "key_ends_soon",
            f"The key {ending(key)}",
            site,
            "Add a new one with `keybearer key add`, or on the settings page",
        )


def _about_account(profile: Profile, credentials: Credentials, site: str) -> Iterator[Finding]:
    yield Finding(
        "key_accepted",
        f"The key is accepted: {profile.full_name} <{email_of(profile)}>, {kind_of(profile)}",
        site,
    )
    real = profile.delivery_email
    if real is not None and real.casefold() != credentials.email.casefold():
        yield Finding(
            "email_mismatch",
            f"The account's email on the server is {real}, but the credentials have {credentials.email}",
            site,
            f"Write email={real}: other servers would refuse the key",
        )


def _of_failure(error: ClientError, site: str, proxy: Proxy | None) -> Finding:
    if isinstance(error, TLSFailed):
        return of_error(error, of_reason(error), site)
    if isinstance(error, ConnectionFailed):
        if proxy is not None:
            return Finding(
                "proxy_failed", f"{error.message} (through the proxy {proxy.address})", proxy.variable, error.hint
            )
        return of_error(error, "no_answer", site)
    if isinstance(error, AuthenticationRefused) and "incoming webhook" in error.message:
        return Finding(
            "incoming_webhook_bot",
            "The key is accepted. It is that of an incoming webhook bot, which can only send messages",
            site,
            "For anything else, create a bot of another type",
        )
    kind = next((kind for known, kind in _KIND_OF.items() if isinstance(error, known)), "refused")
    return of_error(error, kind, site)
