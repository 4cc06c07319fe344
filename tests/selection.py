"""The paths of a pytest run: whether they exist, and how many processes to use for them."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

PROCESSES = 6
"""As many as keep two cores busy: tests often wait for a server or a browser."""


def processes_for(arguments: Sequence[str], directory: Path) -> int:
    """How many processes to use for the tests; 0 means only pytest's own.

    Each process loads and collects everything first, which for one file takes longer than its tests.
    """
    return 0 if len(arguments) == 1 and (directory / _path(arguments[0])).is_file() else PROCESSES


def complaint_about(arguments: Sequence[str], directory: Path) -> str | None:
    """The error for the paths; None if all of them exist."""
    for path in map(_path, arguments):
        if not (directory / path).exists():
            there = [str(one.relative_to(directory)) for one in (directory / "tests").rglob("test_*.py")]
            near = get_close_matches(path, there, n=1, cutoff=0.8)
            return f"There is no {path}." + (f" Did you mean {near[0]}?" if near else "")
    return None


def _path(argument: str) -> str:
    """The path of an argument such as tests/test_secret.py::test_name."""
    return argument.partition("::")[0]
