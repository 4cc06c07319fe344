"""Runs git safely on a repository that anybody may have made.

git reads no configuration: not that of the repository, the user or the system. A temporary directory replaces that of
the repository. It has only the objects, references and index. So no program can be named to run: no hook, filter,
converter, pager, signature program, file monitor or remote to fetch from.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from keybearer.errors import FileError

GIT = ".git"

_REFERENCES = ("refs", "packed-refs", "reftable", "shallow", "worktrees")
_EXTENSION = re.compile(r"^[ \t]*(objectformat|refstorage)[ \t]*=[ \t]*\"?(\w{1,16})", re.IGNORECASE | re.MULTILINE)
_LONGEST_FILE = 1 << 20
"""The most bytes that are read from one of git's small files, such as HEAD."""

_LARGEST_LOG = 1 << 28
_MOST_ALTERNATES = 20


@dataclass(frozen=True, slots=True)
class Repository:
    """Where git keeps a repository: `own` is the directory of one working tree, `common` that of all of them."""

    own: Path
    common: Path

    @classmethod
    def at(cls, top: Path) -> Repository | None:
        """The repository whose top directory is `top`, or that is `top` itself. None if there is none."""
        for path in (top / GIT, top):
            own = _linked(path) if path.is_file() else path
            if own is not None and (own / "HEAD").is_file():
                common = own / _small_text(own / "commondir").strip()
                if (common / "objects").is_dir() and (common / "refs").is_dir():
                    return cls(own.resolve(), common.resolve())
        return None

    @contextlib.contextmanager
    def opened(self, *, index: Path | None = None) -> Iterator[Git]:
        """git for the repository: for all of its working trees, or only for its own with this `index`.

        Raises FileError if the repository contains something that git would wait for forever.
        """
        tree = self.own if index else self.common
        with tempfile.TemporaryDirectory(prefix="keybearer-scan-") as name:
            stand_in = Path(name)
            (stand_in / "config").write_text(_configuration(_small_text(self.common / "config")))
            (stand_in / "HEAD").write_text(_small_text(tree / "HEAD"), errors="surrogateescape")
            _link(index or tree / "index", stand_in / "index")
            for path in (*(self.common / name for name in _REFERENCES), *tree.glob("sharedindex.*")):
                _link(path, stand_in / path.name)
            _copy_logs(tree / "logs", stand_in / "logs")
            _write_objects(self.common / "objects", stand_in / "objects")
            yield Git(stand_in, str(self.common))


@dataclass(frozen=True, slots=True)
class Git:
    """Runs git with `directory` as its repository. `name` is its name in errors."""

    directory: Path
    name: str

    def output(self, *arguments: str, tolerated: int = 0) -> bytes:
        """All of git's output. Raises FileError as `running` does."""
        with self.running(*arguments, tolerated=tolerated) as stream:
            return stream.read()

    @contextlib.contextmanager
    def running(self, *arguments: str, source: IO[bytes] | None = None, tolerated: int = 0) -> Iterator[IO[bytes]]:
        """Yield git's output as a stream. Raises FileError with git's own message if it fails, unless with the
        status `tolerated`.
        """
        with tempfile.TemporaryFile() as complaints:
            try:
                process = subprocess.Popen(
                    ["git", "--no-pager", "--literal-pathspecs", *arguments],
                    stdin=source or subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    cwd=self.directory,
                    env=self._environment(),
                )
            except FileNotFoundError:
                raise FileError("git is not installed", hint="Install it, or use --no-history") from None
            if source is not None:
                source.close()  # so that only the reader has the pipe open, and its writer ends with it
            assert process.stdout is not None
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
            finally:
                process.stdout.close()
                status = process.wait()
            if status > 0 and status != tolerated:
                complaints.seek(0)
                words = complaints.readline().decode("utf-8", "replace").strip() or f"status {status}"
                raise FileError(f"git cannot read {self.name}: {words}", hint="Use --no-history to skip the history")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        pinned = {
            "GIT_DIR": str(self.directory),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }
        return kept | pinned


def top_of(path: Path) -> Path | None:
    """The top directory of the repository of `path`. None if it is not in a repository."""
    return next((each for each in (path.resolve(), *path.resolve().parents) if Repository.at(each)), None)


def _linked(path: Path) -> Path | None:
    """The directory that the file `.git` of a worktree or of a submodule names."""
    mark, _, target = _small_text(path).strip().partition(": ")
    return path.parent / target if mark == "gitdir" and target else None


def _small_text(path: Path) -> str:
    """The text of a small file; empty if there is no such file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as stream:
            return os.fsdecode(stream.read(_LONGEST_FILE)).replace("\0", "")
    except OSError:
        return ""


def _configuration(original: str) -> str:
    """Our own configuration, with the formats that are in the `original` one."""
    formats = "".join(f"{match[1]} = {match[2]}\n" for match in _EXTENSION.finditer(original))
    version = 1 if formats else 0
    return f"[core]\nrepositoryformatversion = {version}\nbare = true\nbigFileThreshold = 4m\n[extensions]\n{formats}"


def _copy_logs(source: Path, target: Path) -> None:
    """Copy reflogs, since git does not follow links to them."""
    for path in source.rglob("*") if source.is_dir() else ():
        _check(path)
        if path.is_file():
            if path.stat().st_size > _LARGEST_LOG:
                raise FileError(f"{path}: This reflog is too large", hint="Use --no-history to skip the history")
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _write_objects(source: Path, target: Path) -> None:
    """Write a directory with the objects of `source` and of the directories that it borrows from."""
    borrowed = [target.with_name(f"borrowed{number}") for number, _ in enumerate(_alternates(source))]
    for directory, copy in zip((source, *_alternates(source)), (target, *borrowed), strict=True):
        (copy / "info").mkdir(parents=True)
        for entry in directory.iterdir():
            if entry.name == "pack" or len(entry.name) == 2:
                _link(entry, copy / entry.name)
    (target / "info" / "alternates").write_text("".join(f"{path}\n" for path in borrowed))


def _alternates(objects: Path) -> list[Path]:
    """The directories in which git looks for further objects."""
    found: list[Path] = []
    pending = [objects]
    while pending and len(found) < _MOST_ALTERNATES:
        directory = pending.pop()
        for line in _small_text(directory / "info" / "alternates").splitlines():
            path = directory / line
            if line and path.is_dir() and path not in found:
                found.append(path)
                pending.append(path)
    return found


def _link(path: Path, target: Path) -> None:
    """Let `target` lead to `path`, if there is such a file or directory. Raises FileError as `_check`."""
    if path.exists():
        _check(path)
        target.symlink_to(path.resolve())


def _check(path: Path) -> None:
    """Raise FileError for anything that git could wait for or walk through forever: a pipe, a device, a link to one or
    to a directory.
    """
    pending = [path.resolve()] if path.is_dir() else []
    unfit = None if path.is_dir() or path.is_file() else path
    while pending and unfit is None:
        with os.scandir(pending.pop()) as listing:
            for entry in listing:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif not entry.is_file() and (entry.is_dir() or Path(entry.path).exists()):
                    unfit = Path(entry.path)
    if unfit is not None:
        raise FileError(
            f"{unfit}: This is a pipe, a device or a link, and git would wait for it",
            hint="Remove it, or use --no-history to skip the history",
        )
