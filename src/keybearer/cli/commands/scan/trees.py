"""The files of a directory tree, each searched as a stream."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from keybearer.cli.commands.scan.git import GIT, Repository
from keybearer.cli.commands.scan.ignoring import IGNORE_FILE, Rules
from keybearer.cli.commands.scan.places import Search, without_keys
from keybearer.errors import FileError

_READ_OF_GIT = frozenset({"config", "config.worktree", "hooks", "info", "lfs", "modules"})
"""The files in git's directory that are searched as files. The rest is its history."""


def search_path(path: Path, search: Search) -> list[Path]:
    """Search a file, or all files below a directory. Returns the top directories of the git repositories in it.

    A link is followed only if it was named, not inside a directory. Pipes and devices are not opened.
    """
    rules = search.rules_for(path)
    if not path.is_dir():
        if rules.ignores(path.resolve()):
            search.ignored += 1
        else:
            search_file(path, search, rules)
        return []
    repositories = []
    for directory, files, rules_here in _walk(path, search, rules):
        if directory.name != GIT and _is_repository(directory, search):
            repositories.append(directory)
        for file in files:
            search_file(file, search, rules_here)
    return repositories


def search_file(path: Path, search: Search, rules: Rules) -> None:
    """Search one file. Devices, pipes and sockets are not files."""
    search.advance(without_keys(str(path)))
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            search.read(stream, str(path), rules)
    except OSError as error:
        search.skip(str(path), error.strerror or "cannot be read")


def check_path(path: Path) -> None:
    """Raise FileError unless the path is a file or a directory."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        raise FileError(f"{path}: There is no such file or directory", hint="Check the path") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise FileError(
            f"{path}: This is a pipe, a device or a socket, not a file",
            hint="To search the output of a program, pass it on standard input and use - as PATH",
        )


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, but not one that has no end or makes its reader wait."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "is not a file")
    return descriptor


def _is_repository(directory: Path, search: Search) -> bool:
    """Whether this directory is a repository or the top of one. If that cannot be read, its history is skipped."""
    try:
        return Repository.at(directory) is not None
    except OSError as error:
        search.skip(str(directory), error.strerror or "cannot be read")
        return False


def _walk(top: Path, search: Search, rules: Rules) -> Iterator[tuple[Path, list[Path], Rules]]:
    """Each directory with its regular files, sorted by name, and with its rules."""
    real = top.resolve()
    pending = [(top, rules)]
    while pending:
        directory, rules = pending.pop()
        try:
            with os.scandir(directory) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            search.skip(str(directory), error.strerror or "cannot be read")
            continue
        names = {entry.name for entry in entries}
        if IGNORE_FILE in names and directory != top:
            rules = search.rules_for(real / directory.relative_to(top), rules)
        if {"HEAD", "objects", "refs"} <= names and _is_repository(directory, search):
            entries = [entry for entry in entries if entry.name in _READ_OF_GIT]
        directories, files = [], []
        for entry in entries:
            path = directory / entry.name
            is_directory = entry.is_dir(follow_symlinks=False)
            if not is_directory and not entry.is_file(follow_symlinks=False):
                continue
            if rules.ignores(real / path.relative_to(top), is_directory=is_directory):
                search.ignored += 1
            elif is_directory:
                directories.append((path, rules))
            else:
                files.append(path)
        pending += reversed(directories)
        yield directory, files, rules
