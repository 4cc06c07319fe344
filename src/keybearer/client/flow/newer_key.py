"""Continues with a newer key: a client whose key was replaced while it ran reads the new one and uses it."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Protocol

from keybearer.client.flow.log import log
from keybearer.client.flow.state import ClientState, same_account
from keybearer.client.flow.steps import Flow, call_function
from keybearer.errors import ClientError, KeybearerError
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials


class KeyDestination(Protocol):
    """The place that a new key goes to, prepared before the server is asked for one."""

    def keep(self, new: Secret) -> None:
        """Store the new key."""

    def abandon(self) -> None:
        """No new key was issued: leave everything as it was."""

    def leave(self) -> None:
        """The server may or may not have issued a new key: leave a note that says so."""


def take_newer_key(state: ClientState, refused: Set[Secret], refusal: ClientError) -> Flow[bool]:
    """Look for a newer key after the keys in `refused` were refused. Returns whether there is one to try.

    Only a key for the same email and site is taken. If there is none, the hint of the refusal says why.
    """
    used = state.credentials
    if used is None:
        return False
    if used.api_key not in refused:
        return True  # another call of this client has already found it
    if state.read_anew is None:
        return False
    found = yield from call_function(returning_error(state.read_anew))
    if isinstance(found, KeybearerError):
        refusal.hint = f"{refusal.hint}. {found}"
    elif not same_account(used, found):
        refusal.hint = f"{refusal.hint}. The credentials now belong to another account, so they are not used"
    elif found.api_key not in refused:
        state.credentials = found
        log().info("The key of %s was replaced; continuing with the new one", found.email)
        return True
    return False


def returning_error(read: Callable[[], Credentials]) -> Callable[[], Credentials | KeybearerError]:
    """Like `read`, but return its error: the caller raises the refusal instead."""

    def attempt() -> Credentials | KeybearerError:
        try:
            return read()
        except KeybearerError as error:
            return error

    return attempt
