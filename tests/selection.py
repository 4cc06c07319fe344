"""What a run of pytest is asked for: whether it is there, and how many processes it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

PROCESSES = 4
"""As many as keep two cores busy: tests often wait for a server or a browser."""


def processes_for(arguments: Sequence[str], directory: Path) -> int:
    """How many processes to test in; 0 is none beside pytest's own.

    Each process loads and collects everything first. For one file that takes longer than its tests.
    """
    return 0 if len(arguments) == 1 and (directory / _path(arguments[0])).is_file() else PROCESSES


def complaint_about(arguments: Sequence[str], directory: Path) -> str | None:
    """What is wrong with the paths; None where all of them are there."""
    for path in map(_path, arguments):
        if not (directory / path).exists():
            there = [str(one.relative_to(directory)) for one in (directory / "tests").rglob("test_*.py")]
            near = get_close_matches(path, there, n=1, cutoff=0.8)
            return f"There is no {path}." + (f" Did you mean {near[0]}?" if near else "")
    return None


def _path(argument: str) -> str:
    """The path of an argument such as tests/test_secret.py::test_name."""
    return argument.partition("::")[0]
