"""Writing a file so that whoever looks sees the old content or the new, never a part, and never a wider mode.

The new content goes into a temporary file of mode 0600 beside the old one, is forced to the disk, and takes the old
one's name in one step.

- `atomic_write` is for a file that other programs may write too, such as a zuliprc. Writers of one directory wait for
  each other, and the old file's owner, symbolic links, attributes and
  narrower mode are kept.
- `replacement` is for a file of the server's own. It takes no lock and keeps nothing of the old file.
- `creation` makes a file that must not be there yet.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keybearer.errors import FileError
from keybearer.store.obstacles import behind_links, require_replaceable

if sys.platform != "win32":
    import fcntl

PRIVATE = 0o600

LOCK_TIMEOUT = 10.0
"""Seconds to wait for another writer of the same directory; to write takes milliseconds."""

_TEMPORARY = re.compile(r"\.keybearer-[0-9a-f]{16}\.tmp\Z")
_CANNOT_LOCK = {errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL, errno.ENOSYS}


def atomic_write(path: str | os.PathLike[str], data: bytes, *, keep_mode: bool = False) -> None:
    """Put `data` into the file at `path`, through a symbolic link if there is one.

    The file's mode is 0600, or less where it had less; with `keep_mode` it stays what it was. Missing directories
    are made with mode 0700. Where anything fails, a full disk included, the old file is as it was and FileError is
    raised; a process that is killed leaves at worst a temporary file of mode 0600, which the next writer removes.
    """
    with exclusive(path) as target:
        write_exclusive(target, data, keep_mode=keep_mode)


@contextlib.contextmanager
def exclusive(path: str | os.PathLike[str], *, patience: float = LOCK_TIMEOUT) -> Iterator[Path]:
    """Keep other writers out of the directory, and give the path of the file itself, behind symbolic links.

    Raises FileError where the directory cannot be made or opened, or another writer keeps it for longer than
    `patience` seconds, and for every OSError of the body.
    """
    fault = ""
    try:
        target = behind_links(path)
        _make_private(target.parent)
        with _lock(target.parent, patience):
            yield target
    except OSError as error:
        fault = error.strerror or type(error).__name__
    if fault:
        raise FileError(f"{path} cannot be written: {fault}", hint="Nothing was changed")


def write_exclusive(target: Path, data: bytes, *, keep_mode: bool = False) -> None:
    """As `atomic_write`, inside `exclusive` and on the path that it gave. Raises FileError and OSError."""
    require_replaceable(target)
    old = target.lstat() if target.exists() else None
    with _new_file(temporary_beside(target), final=target) as file:
        file.write(data)
        _give_rights(file.fileno(), target, old, keep_mode=keep_mode)
    with contextlib.suppress(OSError):  # not every file system can, and the new file is in place
        sync_directory(target.parent)


def overwrite(target: Path, data: bytes) -> None:
    """Put `data` over content of the same length, for a file that cannot be replaced. Inside `exclusive`.

    What does not differ stays as it is even if the process is killed. Raises FileError for another length, and OSError.
    """
    descriptor = os.open(target, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
        if os.fstat(descriptor).st_size != len(data):
            raise FileError(f"{target} cannot be replaced, and its new content has another length")
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(descriptor)


@contextlib.contextmanager
def replacement(target: Path) -> Iterator[BinaryIO]:
    """A new file of mode 0600, open for writing, that takes the name of `target` when the block ends.

    Its path until then is its `name`, beside `target`. It is forced to the disk before it takes the name, and the name
    after. A block that fails leaves `target` as it was and no other file. Raises OSError.
    """
    with _new_file(target.with_name(f".{target.name}.{secrets.token_hex(4)}"), final=target) as file:
        yield file
    sync_directory(target.parent)


@contextlib.contextmanager
def creation(path: Path) -> Iterator[BinaryIO]:
    """A new file of mode 0600 at `path`, open for writing. It is forced to the disk when the block ends.

    The file has its name from the start, so that of two programs only one can make it: raises FileExistsError where
    there is a file or a link already. A block that fails leaves no file. Raises OSError.
    """
    with _new_file(path) as file:
        yield file
    sync_directory(path.parent)


@contextlib.contextmanager
def _new_file(path: Path, *, final: Path | None = None) -> Iterator[BinaryIO]:
    """Make the file, let it be written, force it to the disk, and rename it to `final`. It is removed on any error."""
    file = open(path, "xb", opener=_open_private)  # noqa: SIM115 - closed below, before the file is renamed
    try:
        with file:
            if sys.platform != "win32":
                os.fchmod(file.fileno(), PRIVATE)  # the umask may have taken more
            yield file
            file.flush()
            os.fsync(file.fileno())
        if final is not None:
            path.replace(final)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), PRIVATE)


def temporary_beside(target: Path) -> Path:
    """A new name for a file of ours that is to take the name of `target`; the next writer removes one left behind."""
    return target.parent / f".keybearer-{secrets.token_hex(8)}.tmp"


def _give_rights(descriptor: int, target: Path, old: os.stat_result | None, *, keep_mode: bool) -> None:
    """Give the new file the old one's owner and mode, or less, before it takes the name."""
    if sys.platform == "win32":
        return
    mode = PRIVATE
    if old is not None:
        _copy_attributes(target, descriptor)
        mode = stat.S_IMODE(old.st_mode) & (0o777 if keep_mode else PRIVATE)
        new = os.fstat(descriptor)
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            try:
                os.fchown(descriptor, old.st_uid, old.st_gid)
            except PermissionError:
                if new.st_uid != old.st_uid:
                    raise FileError(f"{target} belongs to somebody else", hint="Let its owner change it") from None
                mode &= ~0o070  # those of another group must not gain what the old group had
    os.fchmod(descriptor, mode)


def _copy_attributes(source: Path, descriptor: int) -> None:
    """Copy the extended attributes, such as labels and access lists, where the file system has them."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):  # some are for the system alone
                os.setxattr(descriptor, name, os.getxattr(source, name))


def _make_private(directory: Path) -> None:
    missing = []
    while not directory.is_dir():
        missing.append(directory)
        directory = directory.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def _lock(directory: Path, patience: float) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _locked(descriptor, directory, time.monotonic() + patience):
            _remove_leftovers(directory)
        yield
    finally:
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # a forked child may have the directory open too
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _locked(descriptor: int, directory: Path, deadline: float) -> bool:
    """Wait for the lock; False where the file system has none, as some network file systems."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise FileError(
                    f"{directory} is kept locked by another program", hint="Try again when it is done"
                ) from None
            time.sleep(0.01)
        except OSError as error:
            if error.errno in _CANNOT_LOCK:
                return False
            raise


def _remove_leftovers(directory: Path) -> None:
    """Remove what killed writers left: we hold the lock, so no living one has a temporary file here."""
    for path in directory.iterdir():
        if _TEMPORARY.match(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def sync_directory(directory: Path) -> None:
    """Force the names in a directory to the disk. Raises OSError. Windows has no way to do it."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
