"""A new API key for the caller, so that neither a crash nor a lost answer leaves nobody knowing. Pure: the file is the
store's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

from keybearer.client.flow.newer_key import quietly
from keybearer.client.flow.protocol import perform
from keybearer.client.flow.state import ClientState, same_account
from keybearer.client.flow.steps import Flow, call_function
from keybearer.client.operations import accounts, bots
from keybearer.errors import (
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
"""After these nobody knows whether the server has made a new key."""


class KeyDestination(Protocol):
    """A change of the key where it is kept, prepared."""

    def keep(self, new: Secret) -> None:
        """Put the new key there."""

    def abandon(self) -> None:
        """There is no new key."""

    def leave(self) -> None:
        """Nobody knows whether there is one: leave what tells so."""


def regenerate(state: ClientState, prepare: Callable[[Credentials], KeyDestination] | None) -> Flow[Secret]:
    """Ask for a new key, and put it where `prepare` has made room for it. None: the key is kept nowhere."""
    yield from _take_newer(state)
    credentials = state.credentials
    if credentials is None:
        raise RegenerationRefused("There is no API key to be replaced", hint="Use a client with credentials")
    state.required_site()
    destination: KeyDestination = (
        _Nowhere() if prepare is None else (yield from call_function(lambda: prepare(credentials)))
    )
    try:
        new = yield from perform(state, bots.regenerate_own_api_key(), may_take_newer_key=False)
    except IN_DOUBT as error:
        raise (yield from _clear_up(state, destination, error)) from None
    except ClientError:
        destination.abandon()
        raise
    except BaseException:
        destination.leave()
        raise
    state.credentials = dataclasses.replace(credentials, api_key=new)
    yield from call_function(lambda: destination.keep(new))
    return new


def _take_newer(state: ClientState) -> Flow[None]:
    """Begin with the key that is in the file now, if it is the same account's."""
    if state.read_anew is not None and state.credentials is not None:
        found = yield from call_function(quietly(state.read_anew))
        if isinstance(found, KeyNotStored):
            return  # the answer of an earlier call was lost; whether the key still works is about to be seen
        if isinstance(found, KeybearerError):
            raise found
        if same_account(state.credentials, found):
            state.credentials = found


def _clear_up(state: ClientState, destination: KeyDestination, error: ClientError) -> Flow[ClientError | KeyNotStored]:
    """The answer was lost. Whether there is a new key shows in whether the old one still works."""
    try:
        yield from perform(state, accounts.get_profile(), may_take_newer_key=False)
    except InvalidAPIKey:
        destination.leave()
        return KeyNotStored(
            f"The server has made a new API key, and its answer was lost: {error.message}",
            kept=None,
            hint="Download a new zuliprc from the settings, or run keybearer login",
        )
    except ClientError:
        destination.leave()
        error.hint = "Whether the server has made a new key is not known: try the old one when the server is back"
        return error
    destination.abandon()
    error.hint = "The old key still works: try again"
    return error


class _Nowhere:
    """The key is the caller's to keep."""

    def keep(self, new: Secret) -> None:
        pass

    def abandon(self) -> None:
        pass

    def leave(self) -> None:
        pass
