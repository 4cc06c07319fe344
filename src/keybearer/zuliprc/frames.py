"""Errors without the frames they were raised in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from keybearer.errors import KeybearerError

P = ParamSpec("P")
R = TypeVar("R")


def without_inner_frames(function: Callable[P, R]) -> Callable[P, R]:
    """Let our errors leave `function` without the frames below it.

    Those hold the text of a file or the output of a command, and there are programs that report an error together
    with what all its frames hold. What the error has to say, it says by itself.
    """

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except KeybearerError as error:
            raise error.with_traceback(None) from None

    return guarded
