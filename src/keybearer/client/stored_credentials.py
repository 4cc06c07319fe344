"""Finds a client's credentials, reads them again, and replaces their key: the only part that uses the store."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from keybearer.errors import RegenerationRefused
from keybearer.store.resolution import resolve
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.fields import KEY, PASSCMD, ResolveArguments
from keybearer.zuliprc.resolver import IDENTITY, Resolution

if TYPE_CHECKING:
    from keybearer.store.key_replacement import KeyReplacement


def find(settings: ResolveArguments) -> Resolution:
    """Resolve the arguments of a client, as `resolve()` does."""
    return resolve(**settings)


def reader_of(resolution: Resolution, settings: ResolveArguments | None) -> Callable[[], Credentials] | None:
    """A function that reads the credentials again: by the same search, or from the file that has all of them.

    It first waits for another program that is replacing the key in that file, and finishes an interrupted replacement.
    Returns None when there is neither a search nor such a file.
    """
    path = resolution.own_file
    if resolution.config_file is not None and _is_pipe(resolution.config_file):
        return None  # it can be read only once
    if settings is not None and resolution.config_file is not None:
        # Read the file that was found, even if the working directory or a variable names another one later.
        settings = {**settings, "config_file": resolution.config_file, "profile": None}

    def read() -> Credentials:
        from keybearer.store.files import read_zuliprc  # noqa: PLC0415 - only a refused key needs it
        from keybearer.store.key_replacement import finish_replacement  # noqa: PLC0415

        if path is not None:
            finish_replacement(path)
        return read_zuliprc(path or "") if settings is None else resolve(**settings).credentials

    return read if settings is not None or path is not None else None


def _is_pipe(path: str) -> bool:
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return False


def key_replacement_of(resolution: Resolution) -> Callable[[Credentials], KeyReplacement]:
    """A function that prepares to replace the key in the file that these credentials are from.

    It raises RegenerationRefused unless email, key and site are all lines of one file.
    """

    def prepare(credentials: Credentials) -> KeyReplacement:
        from keybearer.store.key_replacement import KeyReplacement  # noqa: PLC0415 - only a new key needs it

        path = resolution.own_file
        if path is None and resolution.origins[KEY.name].name == PASSCMD.name:
            raise RegenerationRefused(
                f"No new API key was requested: the key comes from a command ({resolution.origins[KEY.name]})",
                hint="Create a new key in the settings of your account, and store it where that command reads it",
            )
        if path is None:
            places = ", ".join(f"{name} from {resolution.origins[name]}" for name in IDENTITY)
            raise RegenerationRefused(
                f"No new API key was requested: there is no single file to write it into ({places})",
                hint="Use a zuliprc with email, key and site in it, without variables or arguments for them",
            )
        return KeyReplacement(path, credentials)

    return prepare
