"""The data directory: only its owner may read it, and one server at a time uses it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keybearer.errors import FileError

LOCK_FILE = "server.lock"


def make(path: Path) -> None:
    """Create the directory with mode 0700, or check that it is writable. Raises FileError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError:
        raise FileError(f"{path} is not a directory", hint="Choose another data directory with --data-dir.") from None
    except OSError as error:
        raise FileError(
            f"The data directory {path} cannot be written: {error.strerror}",
            hint="Choose another with --data-dir, or make it writable for its owner.",
        ) from None


@contextmanager
def locked(path: Path, who: str) -> Iterator[None]:
    """Keep other servers out of the directory. `who` is shown to them: an address, or what is being done.

    The lock ends with the process and its children, however they end. Raises FileError if it is already taken.
    """
    try:
        descriptor = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FileError(f"The data directory {path} cannot be locked: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            raise FileError(
                f"The data directory {path} is in use by another Keybearer ({holder or 'just starting'})",
                hint="Stop that one, or choose another directory with --data-dir.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, {who}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
