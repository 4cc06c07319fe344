"""Writes a file so that every reader sees the old content or the new, never a part, and never a wider mode.

The new content is written to a temporary file of mode 0600 beside the old one and forced to the disk. Then the
temporary file is renamed to the old one in one step.

- `atomic_write` is for a file that other programs may write too, such as a zuliprc. Writers of one directory wait for
  each other. The old file's owner, symbolic links, attributes and narrower mode are kept.
- `replacement` is for a file of the server's own. It takes no lock and keeps nothing of the old file.
- `creation` creates a file that must not exist yet.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
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
"""Seconds to wait for another writer of the same directory. Writing takes milliseconds."""

_TEMPORARY = re.compile(r"\.keybearer-[0-9a-f]{16}\.tmp\Z")
_CANNOT_LOCK = {errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL, errno.ENOSYS}


def atomic_write(path: str | os.PathLike[str], data: bytes, *, keep_mode: bool = False) -> None:
    """Put `data` into the file at `path`, through a symbolic link if there is one.

    The file's mode becomes 0600, or stays as it was if it was narrower or with `keep_mode`. Missing directories
    are created with mode 0700. If anything fails, such as for a full disk, the old file is unchanged and FileError is
    raised; a process that is killed leaves at worst a temporary file of mode 0600, which the next writer removes.
    """
    with exclusive(path) as target:
        write_exclusive(target, data, keep_mode=keep_mode)


@contextlib.contextmanager
def exclusive(path: str | os.PathLike[str], *, patience: float = LOCK_TIMEOUT) -> Iterator[Path]:
    """Lock the directory against other writers, and yield the path of the file itself, behind symbolic links.

    Raises FileError if the directory cannot be created or opened, or another writer locks it for longer than
    `patience` seconds, and for every OSError in the block.
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

    Bytes that do not differ are safe even if the process is killed. Raises FileError for another length, and OSError.
    """
    descriptor = os.open(target, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
        if os.fstat(descriptor).st_size != len(data):
            raise FileError(f"{target} cannot be replaced, and the new content has a different length")
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(descriptor)


@contextlib.contextmanager
def replacement(target: Path) -> Iterator[BinaryIO]:
    """A new file of mode 0600, open for writing, that is renamed to `target` when the block ends.

    Until then, its path is its `name`, beside `target`. The content is forced to the disk before the renaming, and the
    name after it. If the block fails, `target` is unchanged and the new file is removed. Raises OSError.
    """
    with _new_file(target.with_name(f".{target.name}.{os.urandom(4).hex()}"), final=target) as file:
        yield file
    sync_directory(target.parent)


@contextlib.contextmanager
def creation(path: Path) -> Iterator[BinaryIO]:
    """A new file of mode 0600 at `path`, open for writing. It is forced to the disk when the block ends.

    The file has its name from the start, so only one of two programs can create it. Raises FileExistsError if there is
    a file or a link already. If the block fails, the file is removed. Raises OSError.
    """
    with _new_file(path) as file:
        yield file
    sync_directory(path.parent)


@contextlib.contextmanager
def _new_file(path: Path, *, final: Path | None = None) -> Iterator[BinaryIO]:
    """Create the file, yield it, force it to the disk, and rename it to `final`. Any error removes it."""
    file = open(path, "xb", opener=_open_private)  # noqa: SIM115 - closed below, before the file is renamed
    try:
        with file:
            if sys.platform != "win32":
                os.fchmod(file.fileno(), PRIVATE)  # the umask may have removed more
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
    """A new name for a temporary file that will replace `target`. The next writer removes one that is left behind."""
    return target.parent / f".keybearer-{os.urandom(8).hex()}.tmp"


def _give_rights(descriptor: int, target: Path, old: os.stat_result | None, *, keep_mode: bool) -> None:
    """Give the new file the old one's owner and mode, or a narrower mode, before it is renamed."""
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
                    raise FileError(f"{target} belongs to another user", hint="Its owner has to change it") from None
                mode &= ~0o070  # another group must not get the rights of the old group
    os.fchmod(descriptor, mode)


def _copy_attributes(source: Path, descriptor: int) -> None:
    """Copy the extended attributes, such as labels and access lists, where the file system has them."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):  # only the system may set some of them
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
    """Wait for the lock. False if the file system has no locks, as some network file systems."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise FileError(f"{directory} is locked by another program", hint="Try again when it is done") from None
            time.sleep(0.01)
        except OSError as error:
            if error.errno in _CANNOT_LOCK:
                return False
            raise


def _remove_leftovers(directory: Path) -> None:
    """Remove the temporary files of killed writers. We hold the lock, so no running one has a file here."""
    for path in directory.iterdir():
        if _TEMPORARY.match(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def sync_directory(directory: Path) -> None:
    """Force the names in a directory to the disk. Raises OSError. Windows cannot do this."""
    if sys.platform == "win32":
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
