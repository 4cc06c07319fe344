"""The client's log: the logger `keybearer.client` of Python's `logging`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from keybearer.masking import mask_log

if TYPE_CHECKING:
    import logging


@cache
def log() -> logging.Logger:
    """The logger. It masks the keys in its entries."""
    import logging  # noqa: PLC0415 - it takes a fifth of the time in which the client is imported

    return mask_log(logging.getLogger("keybearer.client"))
