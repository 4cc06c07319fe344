"""Where the tests write their temporary files: in memory, if the machine has room for them there."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes that must be free. A whole run writes less than a quarter of it at any time."""


def keep_in_memory() -> None:
    """Let this process and those that it starts write temporary files to memory, unless TMPDIR says where.

    Each test has a database of its own, and to write them to a disk takes a tenth of the time of the tests.
    """
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def _has_room(directory: Path) -> bool:
    """Whether programs can be written there and run, and all temporary files fit."""
    try:
        runs_programs = not os.statvfs(directory).f_flag & os.ST_NOEXEC
        return runs_programs and os.access(directory, os.W_OK) and shutil.disk_usage(directory).free >= ROOM
    except (OSError, AttributeError):  # only Linux has this directory and this flag
        return False
