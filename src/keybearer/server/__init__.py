"""The server: accounts, bots and their API keys, the settings pages, and Zulip's REST wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keybearer import extras

if TYPE_CHECKING:
    from keybearer.server.app import create_app as create_app
    from keybearer.server.settings import Settings as Settings

_HOMES = {"Settings": "keybearer.server.settings", "create_app": "keybearer.server.app"}

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'keybearer.server' has no attribute {name!r}")
    value: object = getattr(extras.load(_HOMES[name]), name)
    globals()[name] = value
    return value
