"""Regenerates the caller's API key, so that neither a crash nor a lost response loses the new one.

Pure: the store changes the file, through a KeyDestination.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from keybearer.client.flow.newer_key import KeyDestination, returning_error
from keybearer.client.flow.protocol import perform
from keybearer.client.flow.state import ClientState, same_account
from keybearer.client.flow.steps import Flow, call_function
from keybearer.client.operations import accounts, api_keys, bots
from keybearer.errors import (
    APIError,
    ClientError,
    ConnectionFailed,
    InvalidAPIKey,
    KeybearerError,
    KeyNotStored,
    NotAZulipServer,
    RegenerationRefused,
    ServerFailed,
)
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials

IN_DOUBT = (ConnectionFailed, ServerFailed, NotAZulipServer)
"""After these errors, the server may or may not have issued a new key."""

OF_NAMED_KEYS = frozenset({"NAMED_KEY", "INSUFFICIENT_SCOPE"})
"""Codes for a key that works but may not make this call."""


def regenerate(state: ClientState, prepare: Callable[[Credentials], KeyDestination] | None) -> Flow[Secret]:
    """Ask for a new key, and store it in the place that `prepare` has prepared. With None it is only returned."""
    yield from _read_current(state)
    credentials = state.credentials
    if credentials is None:
        raise RegenerationRefused("There is no API key to replace", hint="Use a client with credentials")
    state.required_site()
    destination: KeyDestination = (
        _Nowhere() if prepare is None else (yield from call_function(lambda: prepare(credentials)))
    )
    try:
        new = yield from _issue(state)
    except IN_DOUBT as error:
        raise (yield from _after_lost_response(state, destination, error)) from None
    except ClientError:
        destination.abandon()
        raise
    except BaseException:
        destination.leave()
        raise
    state.credentials = dataclasses.replace(credentials, api_key=new)
    yield from call_function(lambda: destination.keep(new))
    return new


def _read_current(state: ClientState) -> Flow[None]:
    """Start with the key that is in the file now, if it is for the same account."""
    if state.read_anew is not None and state.credentials is not None:
        found = yield from call_function(returning_error(state.read_anew))
        if isinstance(found, KeyNotStored):
            return  # an earlier response was lost; the call shows whether the key still works
        if isinstance(found, KeybearerError):
            raise found
        if same_account(state.credentials, found):
            state.credentials = found


def _issue(state: ClientState) -> Flow[Secret]:
    """Ask for the new key. A named key of Keybearer's server replaces itself; it never gets the account key."""
    try:
        return (yield from perform(state, bots.regenerate_own_api_key(), may_take_newer_key=False))
    except APIError as error:
        if error.code not in OF_NAMED_KEYS:
            raise
    return (yield from perform(state, api_keys.replace_current_key(), may_take_newer_key=False))


def _after_lost_response(
    state: ClientState, destination: KeyDestination, error: ClientError
) -> Flow[ClientError | KeyNotStored]:
    """The response was lost. If the old key still works, no new one was issued."""
    try:
        yield from perform(state, accounts.get_profile(), may_take_newer_key=False)
    except InvalidAPIKey:
        destination.leave()
        return KeyNotStored(
            f"The server has issued a new API key, and its answer was lost: {error.message}",
            kept=None,
            hint="Download a new zuliprc from the settings, or run keybearer login",
        )
    except ClientError as refusal:
        if isinstance(refusal, APIError) and refusal.code in OF_NAMED_KEYS:
            destination.abandon()  # the key may not read the account, but it works
            error.hint = "The old key still works: try again"
            return error
        destination.leave()
        error.hint = "The server may have issued a new key: try the old one when the server is available"
        return error
    destination.abandon()
    error.hint = "The old key still works: try again"
    return error


class _Nowhere:
    """Stores nothing: the caller keeps the returned key."""

    def keep(self, new: Secret) -> None:
        pass

    def abandon(self) -> None:
        pass

    def leave(self) -> None:
        pass
