"""Reads a zuliprc from the disk, with its permissions and owner."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from keybearer.errors import ResolutionError
from keybearer.wording import counted

PATIENCE = 60.0
"""Seconds to wait for the content of a pipe: a program such as gpg may be asking for a passphrase."""

PATIENCE_WITHOUT_WRITER = 5.0
"""Seconds to wait while no program has opened the pipe for writing."""

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
        fault = (
            "config_not_found",
            f"There is no such file{_oddity(path)}",
            "Check the name, or run `keybearer login`",
        )
    except IsADirectoryError:
        fault = ("is_directory", "This is a directory", "Name the file in it")
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ResolutionError(
                "config_not_found", f"This name is too long for a file{_oddity(path)}", place=str(path)
            ) from None
        fault = ("file_unreadable", f"The file cannot be read: {error.strerror}", "See who may read it with `ls -l`")
    except ValueError:  # a NUL in it
        fault = ("config_not_found", "No file can have this name", "Check the name")
    kind, message, hint = fault
    raise ResolutionError(kind, message, place=str(path), hint=hint)


def _oddity(path: Path) -> str:
    """Invisible characters in a path, which may be the reason why it is not found."""
    text = str(path)
    if any(not character.isprintable() for character in text):
        where = "ends in" if not text[-1].isprintable() else "has"
        return f": its name {where} a line break or another invisible character"
    return ": its name begins or ends with a space" if text.strip() != text or path.name.strip() != path.name else ""


def _load(path: Path) -> LoadedFile:
    flags = [getattr(os, name, 0) for name in ("O_CLOEXEC", "O_BINARY", "O_NONBLOCK", "O_NOCTTY")]
    descriptor = os.open(path, os.O_RDONLY | sum(flags))
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            raise OSError(errno.EINVAL, "it is a device")
        chunks: list[bytes] = []
        room = LARGEST + 1
        since = time.monotonic() if stat.S_ISFIFO(status.st_mode) else None
        while room and (chunk := _read(descriptor, room, waiting_since=since, has_some=bool(chunks))):
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


def _read(descriptor: int, most: int, *, waiting_since: float | None, has_some: bool) -> bytes:
    """The next bytes of an open file, none at its end. Waits until a pipe has some."""
    while True:
        try:
            chunk = os.read(descriptor, most)
        except BlockingIOError:  # a program has the pipe open, and has not written yet
            patience = PATIENCE
        else:
            if chunk or has_some or waiting_since is None:
                return chunk
            patience = PATIENCE_WITHOUT_WRITER
        if waiting_since is None or time.monotonic() - waiting_since > patience:
            raise OSError(
                errno.ETIMEDOUT, f"it is a pipe, and nothing was written to it for {counted(patience, 'second')}"
            )
        time.sleep(0.02)
