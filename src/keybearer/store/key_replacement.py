"""Replaces the API key in a file with a new one. No crash can lose both.

The server shows a new key once, and by then the old one no longer works. So before the server is asked, a file beside
the zuliprc, `zuliprc.new`, is created and its space on the disk is reserved. After the response, the new text is
written to that file first, and then the key to the zuliprc. If the program is stopped in between, one of the two files
has the key, or `zuliprc.new` says that a new key was being issued. `zuliprc.new` is locked meanwhile, so that two
programs do not replace the key of one file at once, and readers can wait.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from keybearer.api_key import LENGTH
from keybearer.errors import FileError, KeybearerError, KeyNotStored, RegenerationRefused
from keybearer.secret import Secret
from keybearer.store.atomic import exclusive, sync_directory, temporary_beside
from keybearer.store.files import read_zuliprc, replace_api_key
from keybearer.store.obstacles import behind_links, obstacle_in, obstacle_to_replacing
from keybearer.zuliprc.credentials import Credentials

if sys.platform != "win32":
    import fcntl

SUFFIX = ".new"
LONGEST_CHANGE = 20.0
"""Seconds to wait for a replacement by another program: a call and its timeout."""

_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_PAGE = 4096
"""Bytes that the system writes in one step."""
_MARK = b"# keybearer: a new API key"
_NOTE = """\
 for {email} was requested on {time}.
# If this file still exists, the program was stopped before it could store the server's answer. The key in {name}
# may no longer work. If so, download a new zuliprc from the settings, or run: keybearer login {site}
"""


class Interrupted(NamedTuple):
    """The file that an interrupted replacement has left, with the new key or only a note."""

    path: Path
    has_key: bool


class KeyReplacement:
    """A prepared replacement of the key in a file. End it with `keep()`, `abandon()` or `leave()`."""

    def __init__(self, path: str | os.PathLike[str], credentials: Credentials) -> None:
        """Make sure that the key of `credentials` can be replaced.

        Raises RegenerationRefused if it cannot, or if the file has other credentials. Nothing has changed then.
        """
        _require_changeable(Path(path), credentials.api_key)
        self._path = Path(os.path.realpath(path))
        self._new_file = _new_file_for(self._path)
        self._credentials = credentials
        self._text = _text_with(self._path, credentials)
        with _locked_against_writers(self._path):
            _remove_leftover(self._path)
            self._descriptor = _create_locked(self._new_file)
        try:
            note = _NOTE.format(
                email=credentials.email,
                site=credentials.site or "SITE",
                name=self._path.name,
                time=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            )
            _write_at(self._descriptor, 0, (_MARK + note.encode()).ljust(len(self._text) + 64, b"\n"))
            os.fsync(self._descriptor)
            sync_directory(self._path.parent)
        except OSError as error:
            self._end()
            raise _refused(f"{self._new_file} cannot be written ({error.strerror})", "Free space on the disk") from None

    def keep(self, new: Secret) -> None:
        """Write the new key into the file. Raises KeyNotStored, which says where the key is instead."""
        old = self._credentials.api_key
        kept: Path | None = self._new_file
        try:
            _replace_content(self._descriptor, self._text.replace(old.reveal().encode(), new.reveal().encode()))
        except OSError:
            kept = None  # its space was reserved, so the disk has failed; writing the zuliprc may still work
        try:
            replace_api_key(self._path, email=self._credentials.email, old=old, new=new)
        except KeybearerError as error:
            self._end(remove=kept is None)
            raise _not_stored(self._path, kept, error) from None
        self._end()

    def abandon(self) -> None:
        """The server has issued no new key: leave everything as it was."""
        self._end()

    def leave(self) -> None:
        """The server may or may not have issued a new key: leave the note that says so."""
        self._end(remove=False)

    def _end(self, *, remove: bool = True) -> None:
        if remove:
            with contextlib.suppress(OSError):
                self._new_file.unlink()
        if sys.platform != "win32":
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # a forked child may have the file open too
        os.close(self._descriptor)
        if remove:  # Windows cannot remove a file that is open
            self._new_file.unlink(missing_ok=True)


def interrupted(path: str | os.PathLike[str]) -> Interrupted | None:
    """What an interrupted replacement of the key in this file has left; None if there was none, or it is still running.

    A leftover that is older than the file is ignored.
    """
    real = Path(os.path.realpath(path))
    found = _read_leftover(_new_file_for(real))
    if found is None or found.locked:
        return None
    with contextlib.suppress(OSError):
        if real.stat().st_mtime_ns > found.written:
            return None
    return Interrupted(_new_file_for(real), found.has_key)


def finish_replacement(path: str | os.PathLike[str]) -> None:
    """Wait for a running replacement of the key in this file, and finish an interrupted one.

    Raises KeyNotStored if an interrupted one has left only a note; FileError if the file cannot be written.
    """
    real = Path(os.path.realpath(path))
    until = time.monotonic() + LONGEST_CHANGE
    while (found := _read_leftover(_new_file_for(real))) and found.locked and time.monotonic() < until:
        time.sleep(0.05)
    left = interrupted(real)
    if left is None:
        return
    if not left.has_key:
        raise KeyNotStored(
            f"A new API key for {real} was requested, and the program was stopped before it received the answer",
            kept=None,
            hint=f"Get a new zuliprc from the settings or with `keybearer login`, and remove {left.path}",
        )
    old, new = read_zuliprc(real), read_zuliprc(left.path)
    if (old.email, old.site) != (new.email, new.site):
        return
    if old.api_key != new.api_key:
        replace_api_key(real, email=old.email, old=old.api_key, new=new.api_key)
    left.path.unlink(missing_ok=True)


def discard_leftover(path: Path) -> None:
    """Remove what an interrupted replacement of the key in this file has left. A running one is left alone."""
    found = _read_leftover(_new_file_for(path))
    if found is not None and not found.locked:
        _new_file_for(path).unlink(missing_ok=True)


@contextlib.contextmanager
def _locked_against_writers(path: Path) -> Iterator[None]:
    """Lock out other writers while a replacement is started."""
    try:
        with exclusive(path):
            yield
    except FileError as error:
        raise _refused(error.message, error.hint) from None


def _new_file_for(real: Path) -> Path:
    return real.with_name(real.name + SUFFIX)


def _require_changeable(path: Path, old: Secret) -> None:
    """Raise RegenerationRefused for a file that can neither be replaced nor overwritten with a key of the same length.

    Opening it for writing also finds what permissions do not show: an attribute, or a read-only file system.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _refused(f"{path} is a pipe or a device", "Use a regular file, which can store the new key")
        os.close(os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0)))
        target = behind_links(path)
        obstacle = obstacle_to_replacing(target)
    except OSError as error:
        raise _refused(
            f"{path} cannot be written ({error.strerror})", "Change its permissions, or use another file"
        ) from None
    if len(old.reveal()) == LENGTH:
        obstacle = obstacle_in(target.parent)  # else the file is overwritten if it cannot be replaced
    if obstacle is not None:
        raise _refused(f"{path} cannot be replaced: {obstacle.reason}", obstacle.hint)


def _text_with(path: Path, credentials: Credentials) -> bytes:
    """The text of the file. Raises RegenerationRefused if it has other credentials."""
    try:
        found = read_zuliprc(path)
        text = path.read_bytes()
    except (KeybearerError, OSError) as error:
        raise _refused(
            f"{path} cannot be read: {error}", "Fix it first: keybearer doctor shows what is wrong"
        ) from None
    if (found.email, found.site, found.api_key) != (credentials.email, credentials.site, credentials.api_key):
        raise _refused(f"{path} has different credentials now", "Start again with these")
    if credentials.api_key.reveal().encode() not in text:
        raise _refused(f"{path} has no key of its own", "Add the key itself to it, in a line key=…")
    return text


def _remove_leftover(path: Path) -> None:
    """Remove what an earlier replacement has left, unless it has a newer key."""
    earlier = interrupted(path)
    if earlier is not None and earlier.has_key:
        raise _refused(
            f"{earlier.path} has a newer key, from an interrupted change",
            f"Put it in place first: {_command(earlier.path, path)}",
        )
    found = _read_leftover(_new_file_for(path))
    if found is not None and not found.locked:
        _new_file_for(path).unlink(missing_ok=True)


def _create_locked(path: Path) -> int:
    """Create the file, and lock it before it gets its name, so that no reader takes it for a leftover.

    Unlike `replacement`: the file has no content yet, and it stays open and locked until the new key is in it.
    """
    own_name = path if sys.platform == "win32" else temporary_beside(path)
    if os.path.lexists(path):  # no other program creates one meanwhile: see `_locked_against_writers`
        raise _refused("Another program is replacing the key in this file", "Wait until it ends")
    try:
        descriptor = os.open(own_name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        _lock(descriptor)
        if own_name != path:
            own_name.rename(path)
    except OSError as error:
        raise _refused(
            f"No file can be created beside the zuliprc: {path} ({error.strerror})",
            "Change the directory's permissions, or move the zuliprc",
        ) from None
    return descriptor


class _Leftover(NamedTuple):
    """A file beside a zuliprc: whether it is locked, when it was written, and whether it has a key."""

    locked: bool
    written: int
    has_key: bool


def _read_leftover(path: Path) -> _Leftover | None:
    """The file that we left beside a zuliprc; None if there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError:
        return None
    try:
        locked = not _lock(descriptor, shared=True)
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or (sys.platform != "win32" and about.st_uid != os.getuid()):
            return None
        if not about.st_nlink:  # the replacement has ended since the file was opened
            return None
        start = os.read(descriptor, len(_MARK))
        return _Leftover(locked, about.st_mtime_ns, bool(start) and start != _MARK)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock the open file, unless another program has. The lock ends with the program.

    Readers take a `shared` lock, so that two readers do not take each other for a running replacement.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _replace_content(descriptor: int, data: bytes) -> None:
    """Replace the note in the open file with a text, and force it to the disk.

    The first page is written last, and blank lines cover the rest of the note. So a program that is killed at any
    moment leaves either the note or the whole text.
    """
    covering = data.ljust(os.fstat(descriptor).st_size, b"\n")
    if covering[_PAGE:]:
        _write_at(descriptor, _PAGE, covering[_PAGE:])
        os.fsync(descriptor)
    _write_at(descriptor, 0, covering[:_PAGE])
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


def _write_at(descriptor: int, offset: int, data: bytes) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _command(kept: Path, path: Path) -> str:
    """The command that puts the new key in place. A file that cannot be replaced is overwritten by copying."""
    return f"{'mv' if obstacle_to_replacing(path) is None else 'cp'} {shlex.quote(str(kept))} {shlex.quote(str(path))}"


def _refused(message: str, hint: str) -> RegenerationRefused:
    return RegenerationRefused(f"No new API key was requested: {message}", hint=hint)


def _not_stored(path: Path, kept: Path | None, error: Exception) -> KeyNotStored:
    message = f"The server has issued a new API key, and it could not be written into {path}: {error}"
    if kept is None:
        hint = "It could not be stored anywhere: download a new zuliprc from the settings, or run keybearer login"
        return KeyNotStored(message, kept=None, hint=hint)
    return KeyNotStored(message, kept=str(kept), hint=f"It is in {kept}: put it in place with {_command(kept, path)}")
