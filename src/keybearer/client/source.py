"""Where a client's credentials come from, and how they are read again: the client's only dealings with the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keybearer.store.files import read_zuliprc
from keybearer.store.resolution import resolve
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.resolver import Resolution


def find(settings: Mapping[str, Any]) -> Resolution:
    """What `resolve()` finds for the arguments of a client."""
    return resolve(**settings)


def reader_of(resolution: Resolution, settings: Mapping[str, Any] | None) -> Callable[[], Credentials] | None:
    """What reads the credentials anew: the same search again, or the file that the key came from; None without both."""
    if settings is not None:
        return lambda: resolve(**settings).credentials
    path = own_file(resolution)
    return None if path is None else lambda: read_zuliprc(path)


def own_file(resolution: Resolution) -> str | None:
    """The file whose own lines have email, key and site, all three; None where one came from elsewhere."""
    if resolution.config_file is None:
        return None
    wanted = [resolution.origins.get(name) for name in ("email", "key", "site")]
    if any(origin is None or origin.kind != "file" for origin in wanted):
        return None
    return str(resolution.config_file)
