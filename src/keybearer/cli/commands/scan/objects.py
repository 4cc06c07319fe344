"""What git tells about a history: its objects, the paths of its blobs, and the commits that added them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import IO

from keybearer import api_key
from keybearer.cli.commands.scan.git import Git

RAW = ("--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv")
"""Options for git's differences: only modes, names of blobs and paths."""

_EVERYTHING = ("--all", "--reflog")
_BATCH = ("cat-file", "--batch=%(objecttype) %(objectsize) %(objectname) %(rest)", "--buffer")
_PIECE = 1 << 20
_AT_ONCE = 500
"""The number of blobs whose commits are requested in one run of git, since its arguments have a limit."""


@dataclass(slots=True)
class Object:
    """An object from git: a stream with a known number of bytes. `path` is one of its paths, or the name of a tag."""

    name: str
    kind: str
    path: str
    stream: IO[bytes]
    left: int

    def read(self, size: int, /) -> bytes:
        data = self.stream.read(min(size, self.left))
        self.left -= len(data)
        return data

    def has_key(self) -> bool:
        """Whether the bytes contain one of our keys, as those of a tree do if the name of a file does."""
        rest = ""
        while data := self.read(_PIECE):
            rest = rest[-api_key.LENGTH :] + data.decode("latin-1")
            if api_key.find(rest):
                return True
        return False


def objects(git: Git, only: list[str]) -> Iterator[Object | None]:
    """Every commit, tag, tree and blob, one after the other; None for one that is not in this clone. Unread bytes of
    one are skipped.
    """
    listing = ["rev-list", "--objects", *_EVERYTHING, "--indexed-objects", "--missing=print", "--", *only]
    with git.running(*listing) as names, git.running(*_BATCH, source=names) as stream:
        yield from _batch(stream)


def blobs(git: Git, names: Iterable[str]) -> Iterator[Object | None]:
    """The blobs with these names, as `objects` gives them, but without paths."""
    with tempfile.TemporaryFile() as source:
        source.writelines(f"{name}\n".encode() for name in names)
        source.seek(0)
        with git.running(*_BATCH, source=source) as stream:
            yield from _batch(stream)


def occurrences(git: Git, only: list[str]) -> Iterator[tuple[str, str]]:
    """Every blob with every path that it has in a commit or in the index. Some are repeated."""
    with git.running("ls-files", "--stage", "-z", "--", *only) as stream:
        for entry in _fields(stream):
            meta, _, name = entry.partition(b"\t")
            yield meta.split()[1].decode(), os.fsdecode(name)
    for _, blob, path in _additions(git, "-c", "--", *only):  # what a merge has from a parent, the parent has too
        yield blob, path


def commits_of(git: Git, wanted: list[str]) -> dict[tuple[str, str], str]:
    """The first commit with each wanted blob at each path, and at any path, for which the path is empty. Blobs that
    only the index has are left out.
    """
    commits: dict[tuple[str, str], str] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        found = [f"--find-object={name}" for name in wanted[start : start + _AT_ONCE]]
        for commit, blob, path in _additions(git, "-m", *found):  # back in time, so the last one is the first commit
            commits[blob, path] = commits[blob, ""] = commit
    return commits


def ages(git: Git, commits: Set[str]) -> dict[str, int]:
    """The position of each commit, back in time, with children before parents. Without commits, git is not run."""
    if not commits:
        return {}
    with git.running("rev-list", "--topo-order", *_EVERYTHING) as stream:
        names = (line.rstrip(b"\n").decode() for line in stream)
        return {name: age for age, name in enumerate(names) if name in commits}


def _batch(stream: IO[bytes]) -> Iterator[Object | None]:
    while header := stream.readline():
        fields = header.rstrip(b"\n").split(b" ", 3)
        if len(fields) < 4:
            yield None
            continue
        kind, size, name, path = fields
        one = Object(name.decode(), kind.decode(), os.fsdecode(path), stream, int(size))
        yield one
        while one.read(_PIECE):
            pass
        stream.read(1)


def _additions(git: Git, *options: str) -> Iterator[tuple[str, str, str]]:
    """Every commit with each blob that it adds or changes, and the blob's path."""
    commit = ""
    with (
        git.running("rev-list", "--topo-order", *_EVERYTHING) as names,
        git.running("diff-tree", "--stdin", "-z", "-r", "--root", *RAW, *options, source=names) as stream,
    ):
        fields = _fields(stream)
        for field in fields:
            if field.startswith(b":"):
                blob, path = field.split()[-2].decode(), os.fsdecode(next(fields, b""))
                if blob.strip("0"):  # else the commit removes it
                    yield commit, blob, path
            else:
                commit = field.split()[0].decode()


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    """The fields of a stream, each of which ends with NUL."""
    rest = b""
    while data := stream.read(_PIECE):
        *whole, rest = (rest + data).split(b"\0")
        yield from whole
