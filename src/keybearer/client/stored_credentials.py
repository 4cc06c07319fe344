"""Where a client's credentials come from, and how they are read again: the client's only dealings with the store."""

from __future__ import annotations

from collections.abc import Callable

from keybearer.errors import RegenerationRefused
from keybearer.store.files import read_zuliprc
from keybearer.store.key_replacement import KeyReplacement, settle
from keybearer.store.resolution import resolve
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.fields import ResolveArguments
from keybearer.zuliprc.resolver import IDENTITY, Resolution


def find(settings: ResolveArguments) -> Resolution:
    """What `resolve()` finds for the arguments of a client."""
    return resolve(**settings)


def reader_of(resolution: Resolution, settings: ResolveArguments | None) -> Callable[[], Credentials] | None:
    """What reads the credentials anew: the same search again, or the file that has them all; None without both.

    A change of the file's key that is going on, or was interrupted, comes to its end first.
    """
    path = resolution.own_file
    if settings is not None and resolution.config_file is not None:
        # The file is the one that was found: neither the working directory nor a variable leads to another one later.
        settings = {**settings, "config_file": resolution.config_file, "profile": None}

    def read() -> Credentials:
        if path is not None:
            settle(path)
        return read_zuliprc(path or "") if settings is None else resolve(**settings).credentials

    return read if settings is not None or path is not None else None


def key_replacement_of(resolution: Resolution) -> Callable[[Credentials], KeyReplacement]:
    """What prepares to put another key where these credentials are from.

    It raises RegenerationRefused where they are not all from one file's own lines: then there is no place for it.
    """

    def prepare(credentials: Credentials) -> KeyReplacement:
        path = resolution.own_file
        if path is None:
            places = ", ".join(f"{name} from {resolution.origins[name]}" for name in IDENTITY)
            raise RegenerationRefused(
                f"No new API key was asked for: there is no one file to put it into ({places})",
                hint="Use a zuliprc with email, key and site in it, and no variables or arguments in their place",
            )
        return KeyReplacement(path, credentials)

    return prepare
