"""Zulip API keys and zuliprc files: find, check, explain, write and use them; and the server that issues them.

Names load when they are first asked for, so `import keybearer` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from keybearer._version import __version__

if TYPE_CHECKING:
    from keybearer import server as server
    from keybearer.client.asynchronous import AsyncClient as AsyncClient
    from keybearer.client.sync import Client as Client
    from keybearer.errors import KeybearerError as KeybearerError
    from keybearer.errors import ResolutionError as ResolutionError
    from keybearer.secret import Secret as Secret
    from keybearer.store.files import read_zuliprc as read_zuliprc
    from keybearer.store.files import write_zuliprc as write_zuliprc
    from keybearer.store.resolution import resolve as resolve
    from keybearer.zuliprc.credentials import Credentials as Credentials
    from keybearer.zuliprc.credentials import TLSOptions as TLSOptions
    from keybearer.zuliprc.document import render_zuliprc as render_zuliprc
    from keybearer.zuliprc.resolver import Resolution as Resolution
    from keybearer.zuliprc.sources import Origin as Origin

_HOMES = {
    "AsyncClient": "keybearer.client.asynchronous",
    "Client": "keybearer.client.sync",
    "Credentials": "keybearer.zuliprc.credentials",
    "KeybearerError": "keybearer.errors",
    "Origin": "keybearer.zuliprc.sources",
    "Resolution": "keybearer.zuliprc.resolver",
    "ResolutionError": "keybearer.errors",
    "Secret": "keybearer.secret",
    "TLSOptions": "keybearer.zuliprc.credentials",
    "read_zuliprc": "keybearer.store.files",
    "render_zuliprc": "keybearer.zuliprc.document",
    "resolve": "keybearer.store.resolution",
    "write_zuliprc": "keybearer.store.files",
}
_ROOMS = {"client", "errors", "server", "store", "zuliprc"}

__all__ = [
    "AsyncClient",
    "Client",
    "Credentials",
    "KeybearerError",
    "Origin",
    "Resolution",
    "ResolutionError",
    "Secret",
    "TLSOptions",
    "__version__",
    "read_zuliprc",
    "render_zuliprc",
    "resolve",
    "server",
    "write_zuliprc",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value: object = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"keybearer.{name}")
    else:
        raise AttributeError(f"module 'keybearer' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
