"""The client of Zulip's API, synchronous and asynchronous, on credentials.

A call is a generator without input or output. It yields steps (send this request, wait, call this function), receives
the outcome of each, and returns a value or raises. A runner carries out the steps. Both clients share every rule.

    sync.py  asynchronous.py      Client and AsyncClient; base.py and methods.py are for both. event_iterators.py and
            |                async_event_iterators.py: what `events()` returns
            |
            +-> stored_credentials.py   find credentials, read them again, replace their key: the only use of the store
            +-> http/                   runners carry out steps; transports send requests over httpcore2; TLS
            |
        flow/                     pure: protocol.py (a call as steps), responses, redirects, retry, listening,
            |                     newer_key (continue with a newer key), regeneration (issue a new key), log
        operations/               pure: the calls, one module per noun
            |
        models/                   pure: what the calls return, one module per noun

Imports go downwards only; import-linter checks it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keybearer.client import event_iterators as event_iterators


def __getattr__(name: str) -> object:
    if name != "event_iterators":  # the type of Client.events(), which few programs load
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
