"""The files of a directory tree, each searched as a stream."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from keybearer.cli.commands.scan.places import LocatedLeak, Search
from keybearer.cli.commands.scan.streams import Readable, search_stream

GIT = ".git"


def search_path(path: Path, search: Search) -> list[Path]:
    """Search a file, or all files below a directory. Returns the tops of the git repositories met on the way.

    Links inside a directory are not followed (a named one is), and what git keeps for itself is not read as files.
    """
    if not path.is_dir():
        search_file(path, search)
        return []
    repositories = []
    for directory, files in _walk(path, search):
        if _is_kept_by_git(directory) or _is_kept_by_git(directory / GIT) or (directory / GIT).is_file():
            repositories.append(directory)
        for file in files:
            search_file(file, search)
    return repositories


def search_file(path: Path, search: Search) -> None:
    """Search one file. Devices, pipes and sockets are none."""
    search.advance(str(path))
    try:
        with path.open("rb") as stream:
            search_readable(stream, str(path), search)
    except OSError as error:
        search.skip(str(path), error.strerror or "cannot be read")


def search_readable(stream: Readable, path: str, search: Search, *, commit: str = "", repository: str = "") -> None:
    """Search a stream that is told as `path`."""
    search.files += 1
    for leak in search_stream(stream):
        search.add(LocatedLeak(leak, path, commit, repository))


def _walk(top: Path, search: Search) -> Iterator[tuple[Path, list[Path]]]:
    """Each directory with its regular files, in the order of names."""
    pending = [top]
    while pending:
        directory = pending.pop()
        if _is_kept_by_git(directory):
            yield directory, []
            continue
        try:
            with os.scandir(directory) as listing:
                entries = sorted((one for one in listing if one.name != GIT), key=lambda entry: entry.name)
        except OSError as error:
            search.skip(str(directory), error.strerror or "cannot be read")
            continue
        pending += [directory / one.name for one in reversed(entries) if one.is_dir(follow_symlinks=False)]
        yield directory, [directory / one.name for one in entries if one.is_file(follow_symlinks=False)]


def _is_kept_by_git(directory: Path) -> bool:
    """Whether this is a `.git` or a repository without a working tree, as servers have them."""
    return (directory / "HEAD").is_file() and (directory / "objects").is_dir() and (directory / "refs").is_dir()
