"""Child processes for tests that change rights or limits, or are killed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable


def in_a_child(work: Callable[[], object]) -> int:
    """Run `work` in a child process and return how it ended: an exit code, or the negative number of a signal."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(60)
    assert child.exitcode is not None
    return child.exitcode
