"""Removes the inner frames from the traceback of errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from keybearer.errors import KeybearerError

P = ParamSpec("P")
R = TypeVar("R")


def without_inner_frames(function: Callable[P, R]) -> Callable[P, R]:
    """Remove the frames below `function` from the traceback of our errors.

    Those frames contain the text of a file or the output of a command, and some programs report the variables of all
    frames with an error. The message of the error is complete without them.
    """

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except KeybearerError as error:
            raise error.with_traceback(None) from None

    return guarded
