"""What git keeps: every version of every file that any branch, tag, stash or reflog still leads to, and the messages.

git itself reads its objects, in one process that streams them; nothing is run through a shell, and nothing is fetched.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from keybearer.cli.commands.scan.places import LocatedLeak, Search
from keybearer.cli.commands.scan.streams import search_stream
from keybearer.cli.commands.scan.trees import search_readable
from keybearer.errors import FileError

_EVERYTHING = ("--all", "--reflog")
_SUBMODULE = b"160000"
_OF_ONE_REPOSITORY = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
     "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_CEILING_DIRECTORIES"}
)  # fmt: skip
_AT_ONCE = 500
"""Blobs whose commits are asked for in one run of git: its arguments have a limit."""


@dataclass(slots=True)
class _Object:
    """An object as git hands it out: a stream of so many bytes."""

    name: str
    kind: str
    path: str
    stream: IO[bytes]
    left: int

    def read(self, size: int, /) -> bytes:
        data = self.stream.read(min(size, self.left))
        self.left -= len(data)
        return data


def search_history(repository: Path, search: Search, *, within: str = "") -> None:
    """Search all that the repository keeps; only what changed `within` a path below its top, where one is given.

    Each key is told once for each path, with the commit that brought it there. Raises FileError where git cannot read
    the repository.
    """
    only = [f":(top,literal){within}"] if within not in {"", "."} else []
    listing = ["rev-list", "--objects", *_EVERYTHING, "--indexed-objects", "--missing=print", "--", *only]
    found: dict[tuple[str, str], list[LocatedLeak]] = {}
    blobs: dict[str, str] = {}
    for one in _objects(repository, listing, search):
        search.advance(f"{repository} {one.path}")
        search.files += 1
        for leak in search_stream(one):
            if one.kind == "blob":
                located = LocatedLeak(leak, one.path, one.name, str(repository))
                blobs[one.name] = ""
            else:
                located = LocatedLeak(replace(leak, line=0), "", one.name, str(repository))
            found.setdefault((located.path, located.fingerprint), []).append(located)
    blobs |= _commits_of(repository, sorted(blobs))
    versions = [[replace(each, commit=blobs.get(each.commit, each.commit)) for each in same] for same in found.values()]
    age = _ages(repository, {each.commit for same in versions for each in same if len(same) > 1})
    for same in versions:
        search.add(max(same, key=lambda located: age.get(located.commit, -1)))


def search_staged(search: Search) -> None:
    """Search what the next commit would bring, as it is in the index. Raises FileError as `search_history`."""
    here = Path()
    try:
        _output(here, "rev-parse", "--git-dir", in_hook=True)
    except FileError as error:  # where git diff sees no repository, it complains of its options
        raise FileError(error.message, hint="--staged is for a directory in a git repository, with git") from None
    listing = ("diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--diff-filter=d")
    fields = _output(here, *listing, in_hook=True).split(b"\0")
    for meta, path in zip(fields[::2], fields[1::2], strict=False):
        mode, blob = meta.split()[1], meta.split()[3].decode()
        if mode == _SUBMODULE:
            continue
        with _running(here, "cat-file", "blob", blob, in_hook=True) as stream:
            search_readable(stream, os.fsdecode(path), search)


def top_of(path: Path) -> Path | None:
    """The top of the working tree that `path` is in; None where it is in none."""
    try:
        return Path(os.fsdecode(_output(path, "rev-parse", "--show-toplevel").removesuffix(b"\n")))
    except FileError:
        return None


def _objects(repository: Path, listing: list[str], search: Search) -> Iterator[_Object]:
    """Every commit, tag and blob that the listing names, one after the other; what is not read of one is skipped."""
    form = "--batch=%(objecttype) %(objectsize) %(objectname) %(rest)"
    with (
        _running(repository, *listing) as names,
        _running(repository, "cat-file", form, "--buffer", source=names) as stream,
    ):
        while header := stream.readline():
            fields = header.rstrip(b"\n").split(b" ", 3)
            if len(fields) < 4:
                search.skip(str(repository), "an object of its history is not in this clone")
                continue
            kind, size, name, path = fields
            one = _Object(name.decode(), kind.decode(), os.fsdecode(path), stream, int(size))
            if one.kind != "tree":
                yield one
            while one.read(1 << 20):
                pass
            stream.read(1)


def _commits_of(repository: Path, blobs: list[str]) -> dict[str, str]:
    """The first commit with each blob; those that only the index has are left out."""
    commits: dict[str, str] = {}
    for start in range(0, len(blobs), _AT_ONCE):
        wanted = [f"--find-object={name}" for name in blobs[start : start + _AT_ONCE]]
        options = [
            "--topo-order",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "--no-ext-diff",
            "-m",
            "--format=%H",
            *wanted,
        ]
        commit = ""
        for line in _output(repository, "log", *_EVERYTHING, *options).decode("utf-8", "replace").splitlines():
            if line.startswith(":"):
                commits[line.split()[3]] = commit  # git goes back in time: what stays is the first
            elif line:
                commit = line
    return commits


def _ages(repository: Path, commits: Set[str]) -> dict[str, int]:
    """How many commits stand before each, going back in time, children before their parents. None is asked for none."""
    if not commits:
        return {}
    with _running(repository, "rev-list", "--topo-order", *_EVERYTHING) as stream:
        names = (line.rstrip(b"\n").decode() for line in stream)
        return {name: age for age, name in enumerate(names) if name in commits}


def _output(repository: Path, *arguments: str, in_hook: bool = False) -> bytes:
    with _running(repository, *arguments, in_hook=in_hook) as stream:
        return stream.read()


@contextlib.contextmanager
def _running(
    repository: Path, *arguments: str, source: IO[bytes] | None = None, in_hook: bool = False
) -> Iterator[IO[bytes]]:
    """What git writes. Raises FileError with git's own words when it fails.

    `in_hook`: follow the variables with which git tells its hooks about the repository and its index.
    """
    command = ["git", "-C", str(repository), "-c", "core.fsmonitor=false", "-c", "log.showRoot=true", *arguments]
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                command,
                stdin=source or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=_environment(in_hook=in_hook),
            )
        except FileNotFoundError:
            raise FileError("git is not installed", hint="Install it, or use --no-history") from None
        if source is not None:
            source.close()  # so that only the reader keeps the pipe open, and its writer ends with it
        assert process.stdout is not None
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            status = process.wait()
        if status > 0:
            complaints.seek(0)
            words = complaints.readline().decode("utf-8", "replace").strip() or f"status {status}"
            raise FileError(f"git cannot read {repository}: {words}", hint="Use --no-history to leave the history out")


def _environment(*, in_hook: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if in_hook or name not in _OF_ONE_REPOSITORY}
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}
