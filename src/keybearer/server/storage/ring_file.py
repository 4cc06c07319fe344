"""The secrets file: JSON of mode 0600, read as a whole and replaced in one step.

`{"version": 1, "secrets": [{"id": ..., "created_at": ..., "secret": ...}, ...]}`, the current secret last. There may
also be a secret under `"next"`: every machine must know it before anything is written with it.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from keybearer.errors import SecretRingError
from keybearer.store.atomic import creation, replacement

VERSION = 1
SECRET_LENGTH = 32

Stamp = tuple[int, ...]
"""What distinguishes two states of the file: its place on the disk, time and size."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One secret as it is in the file."""

    id: str
    created_at: str
    secret: bytes = field(repr=False)


class Content(NamedTuple):
    """The secrets in the file, the current one last, and the prepared secret that will be the next one."""

    entries: tuple[Entry, ...]
    prepared: Entry | None = None


def stamp(status: os.stat_result) -> Stamp:
    """The stamp of a file in that state."""
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def read(path: Path) -> tuple[Content, Stamp]:
    """The secrets in the file. Raises SecretRingError if the file is missing, open to others or broken."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            is_read_only = bool(os.fstatvfs(file.fileno()).f_flag & os.ST_RDONLY)
            content = file.read()
    except FileNotFoundError:
        raise SecretRingError(
            f"The secrets file {path} does not exist",
            hint="Restore it from your copy, or set KEYBEARER_SECRETS to its path.",
        ) from None
    except OSError as error:
        raise SecretRingError(f"The secrets file {path} cannot be read: {error.strerror}") from None
    # systemd and Kubernetes provide secrets to a group, on a file system of their own that nobody can write.
    if stat.S_IMODE(status.st_mode) & (0o037 if is_read_only else 0o077):
        raise SecretRingError(
            f"The secrets file {path} can be read or written by others (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"Run: chmod 600 {path}",
        )
    return _parsed(path, content), stamp(status)


def create(path: Path, entry: Entry) -> None:
    """Write a new file with one secret. Raises SecretRingError if the file exists or cannot be written."""
    try:
        with creation(path) as file:
            file.write(_encoded(Content((entry,))))
    except FileExistsError:
        raise SecretRingError(
            f"The secrets file {path} already exists", hint="Use it, or choose another path."
        ) from None
    except OSError as error:
        raise SecretRingError(f"The secrets file {path} cannot be written: {error.strerror}") from None


def replace(path: Path, content: Content, *, expected: Stamp) -> None:
    """Replace the file in one step: readers see the old or the new file, even after a power cut.

    Raises SecretRingError if it cannot be written, or if its state is not `expected`.
    """
    try:
        with path.open("rb") as old:
            fcntl.flock(old, fcntl.LOCK_EX)
            if stamp(path.stat()) != expected:
                raise SecretRingError(
                    f"The secrets file {path} was changed by somebody else in the meantime", hint="Try again."
                )
            with replacement(path) as new:
                new.write(_encoded(content))
    except OSError as error:
        raise SecretRingError(f"The secrets file {path} cannot be written: {error.strerror}") from None


def _encoded(content: Content) -> bytes:
    document: dict[str, object] = {"version": VERSION, "secrets": [_as_json(entry) for entry in content.entries]}
    if content.prepared is not None:
        document["next"] = _as_json(content.prepared)
    return f"{json.dumps(document, indent=1)}\n".encode()


def _parsed(path: Path, content: bytes) -> Content:
    broken = SecretRingError(f"The secrets file {path} is broken", hint="Restore it from your copy.")
    entries: tuple[Entry, ...] = ()
    prepared: Entry | None = None
    try:
        document = json.loads(content)
        version, listed = document["version"], document["secrets"]
        if version == VERSION:
            entries = tuple(_entry(each) for each in listed)
            prepared = _entry(document["next"]) if "next" in document else None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise broken from None
    if version != VERSION:
        raise SecretRingError(
            f"The secrets file {path} has the version {version}, which this Keybearer does not know",
            hint="Upgrade Keybearer.",
        )
    ids = [entry.id for entry in (*entries, *([] if prepared is None else [prepared]))]
    if not entries or len(set(ids)) != len(ids):
        raise broken
    return Content(entries, prepared)


def _entry(listed: Mapping[str, str]) -> Entry:
    secret = base64.urlsafe_b64decode(listed["secret"])
    if len(secret) != SECRET_LENGTH or not listed["id"]:
        raise ValueError
    return Entry(str(listed["id"]), str(listed["created_at"]), secret)


def _as_json(entry: Entry) -> dict[str, str]:
    secret = base64.urlsafe_b64encode(entry.secret).decode()
    return {"id": entry.id, "created_at": entry.created_at, "secret": secret}
