"""Living through a new key: a client whose key was replaced while it ran takes the new one from where it is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable

from keybearer.client.flow.state import ClientState, same_account
from keybearer.client.flow.steps import Flow, call_function
from keybearer.errors import ClientError, KeybearerError
from keybearer.zuliprc.credentials import Credentials

logger = logging.getLogger("keybearer.client")


def take_newer_key(state: ClientState, used: Credentials | None, refusal: ClientError) -> Flow[bool]:
    """After the key of `used` was refused: whether the state now has another one to try.

    Only a key for the same email and site is taken. Where there is none, the refusal's hint says why.
    """
    if used is None or state.credentials is None:
        return False
    if state.credentials.api_key != used.api_key:
        return True  # another call of this client has been through this in the meantime
    if state.read_anew is None:
        return False
    found = yield from call_function(quietly(state.read_anew))
    if isinstance(found, KeybearerError):
        refusal.hint = f"{refusal.hint}. {found}"
    elif not same_account(used, found):
        refusal.hint = f"{refusal.hint}. The credentials are now those of another account, so they are not used"
    elif found.api_key != used.api_key:
        state.credentials = found
        logger.info("The key of %s was replaced; going on with the new one", found.email)
        return True
    return False


def quietly(read: Callable[[], Credentials]) -> Callable[[], Credentials | KeybearerError]:
    """The reading, with its error as a value: the refusal is what the caller has to hear of, not this."""

    def attempt() -> Credentials | KeybearerError:
        try:
            return read()
        except KeybearerError as error:
            return error

    return attempt
