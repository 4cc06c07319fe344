"""Reads a zuliprc from the disk, with its permissions and owner."""

from __future__ import annotations

import errno
import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path

from keybearer.errors import ResolutionError

LARGEST = 1 << 20
"""The most bytes that are read. A larger file is not a zuliprc."""


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """The content of a file, its permission bits and its owner's ID.

    Mode and owner are None on Windows, and for a pipe such as that of `-c <(decrypt zuliprc.gpg)`.
    """

    data: bytes = field(repr=False)
    mode: int | None
    owner: int | None


def load(path: Path) -> LoadedFile:
    """Read a whole file. Raises ResolutionError: `config_not_found`, `is_directory` or `file_unreadable`."""
    try:
        return _load(path)
    except (FileNotFoundError, NotADirectoryError):
        fault = ("config_not_found", "There is no such file", "Check the name, or run `keybearer login`")
    except IsADirectoryError:
        fault = ("is_directory", "This is a directory", "Name the file in it")
    except OSError as error:
        fault = ("file_unreadable", f"The file cannot be read: {error.strerror}", "See who may with `ls -l`")
    except ValueError:  # a NUL in it
        fault = ("config_not_found", "No file can have this name", "Check the name")
    kind, message, hint = fault
    raise ResolutionError(kind, message, place=str(path), hint=hint)


def _load(path: Path) -> LoadedFile:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        chunks = []
        room = LARGEST + 1
        while room and (chunk := os.read(descriptor, room)):
            chunks.append(chunk)
            room -= len(chunk)
    finally:
        os.close(descriptor)
    if not room:
        raise OSError(errno.EFBIG, "it is too large for a zuliprc")
    tells = stat.S_ISREG(status.st_mode) and sys.platform != "win32"
    return LoadedFile(
        data=b"".join(chunks),
        mode=stat.S_IMODE(status.st_mode) if tells else None,
        owner=status.st_uid if tells else None,
    )
