"""Finds in advance why a file cannot be replaced by a new one of the same name.

A writable file is not enough: the new file gets the old one's name in the directory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from keybearer.errors import FileError

if sys.platform != "win32":
    import fcntl

_GET_FLAGS = (2 << 30) | (struct.calcsize("l") << 16) | (ord("f") << 8) | 1
"""Linux's FS_IOC_GETFLAGS."""
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20
_BSD_FIXED = stat.UF_IMMUTABLE | stat.UF_APPEND | stat.SF_IMMUTABLE | stat.SF_APPEND


class Obstacle(NamedTuple):
    """Why a file cannot be replaced, and what to do about it."""

    reason: str
    hint: str


def require_replaceable(path: str | os.PathLike[str]) -> None:
    """Raise FileError if `atomic_write` cannot write the file at `path`, for a reason that is known in advance."""
    try:
        obstacle = obstacle_to_replacing(behind_links(path))
    except OSError as error:
        obstacle = Obstacle(error.strerror or type(error).__name__, "Name another file")
    if obstacle is not None:
        raise FileError(f"{path} cannot be replaced: {obstacle.reason}", hint=obstacle.hint)


def obstacle_to_replacing(target: Path) -> Obstacle | None:
    """Why this file, which is not a link, cannot be replaced or created; None if there is no known reason."""
    try:
        status = target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return obstacle_in(next(parent for parent in target.parents if os.path.lexists(parent)))
    if not stat.S_ISREG(status.st_mode):
        return Obstacle("it is not a regular file", "Name another file")
    if status.st_nlink > 1:
        return Obstacle(
            f"it has {status.st_nlink} names (hard links), and only this one would have the new content",
            f"Remove the others, or make them symbolic links; find them with: find / -samefile {target}",
        )
    if _is_fixed(target):
        return Obstacle("it is immutable or append-only", f"Remove the attribute: chattr -i -a {target}")
    if _is_mounted(target):
        return Obstacle(
            "it is mounted on its own, as containers do with single files", "Mount the directory that it is in instead"
        )
    return obstacle_in(target.parent) or _obstacle_of_owner(target, status)


def obstacle_in(directory: Path) -> Obstacle | None:
    """Why no file can be created and renamed in this directory; None if there is no known reason."""
    if not directory.is_dir():
        return Obstacle(f"{directory} is not a directory", "Name another file")
    if not os.access(directory, os.W_OK | os.X_OK):
        return Obstacle(f"no file can be created in {directory}", "Change its permissions, or name another file")
    if _is_fixed(directory):
        return Obstacle(f"{directory} is immutable or append-only", f"Remove the attribute: chattr -i -a {directory}")
    return None


def _obstacle_of_owner(target: Path, status: os.stat_result) -> Obstacle | None:
    if sys.platform == "win32" or os.geteuid() in {0, status.st_uid}:
        return None
    return Obstacle("it belongs to another user", "Its owner has to change it")


def _is_fixed(path: Path) -> bool:
    """Whether the file system forbids renaming or removing this file."""
    if getattr(path.lstat(), "st_flags", 0) & _BSD_FIXED:
        return True
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError):  # not readable, or a file system without attributes
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            answer = fcntl.ioctl(descriptor, _GET_FLAGS, b"\0" * struct.calcsize("l"))
        finally:
            os.close(descriptor)
        return bool(answer[0] & (_IMMUTABLE | _APPEND_ONLY)) if sys.byteorder == "little" else False
    return False


def _is_mounted(target: Path) -> bool:
    if target.lstat().st_dev != target.parent.stat().st_dev:
        return True
    with contextlib.suppress(OSError):  # only Linux shows mounts within one file system
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
        points = (line.split(" ")[4] for line in mounts.splitlines())
        return str(target) in {re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point) for point in points}
    return False


def behind_links(path: str | os.PathLike[str]) -> Path:
    """The path of the file itself. Raises OSError."""
    try:
        found = Path(path).resolve()
        if not found.is_symlink():
            return found
        fault = errno.ELOOP
    except RuntimeError:  # before Python 3.13, this means that links form a loop
        fault = errno.ELOOP
    except ValueError:  # a NUL in it
        fault = errno.EINVAL
    raise OSError(fault, os.strerror(fault))
