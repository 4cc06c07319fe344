"""Searches the history of git: every version of every file that a branch, tag, stash or reflog has, and the messages.

One git process streams all objects.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from keybearer.cli.commands.scan.git import Git, Repository, top_of
from keybearer.cli.commands.scan.places import LocatedLeak, Search, leaks_in_path, without_keys
from keybearer.cli.commands.scan.streams import search_stream
from keybearer.errors import FileError

_EVERYTHING = ("--all", "--reflog")
_SUBMODULE = b"160000"
_RAW = ("--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv")
_AT_ONCE = 500
"""The number of blobs whose commits are requested in one run of git, since its arguments have a limit."""


@dataclass(slots=True)
class _Object:
    """An object from git: a stream with a known number of bytes."""

    name: str
    kind: str
    path: str
    stream: IO[bytes]
    left: int

    def read(self, size: int, /) -> bytes:
        data = self.stream.read(min(size, self.left))
        self.left -= len(data)
        return data


def search_history(top: Path, search: Search, *, within: str = "") -> None:
    """Search the whole history of the repository at `top`, or only changes `within` a path below it.

    Each key is reported once for each path, with the commit that added it. A repository with several working trees is
    searched once. Raises FileError if git cannot read the repository.
    """
    repository = Repository.at(top)
    if repository is None or not search.begin_history(repository.common, within):
        return
    with repository.opened() as git:
        _search_objects(git, top, search, [within] if within not in {"", "."} else [])


def search_staged(search: Search) -> None:
    """Search the content of the next commit, which is in the index. Raises FileError as `search_history` does.

    In a hook, git's variables name the repository and its index.
    """
    named = os.environ.get("GIT_DIR")
    top = top_of(Path())
    repository = Repository.at(Path(named)) if named else Repository.at(top) if top else None
    if repository is None:
        raise FileError("This is not a git repository", hint="--staged is for a directory in one")
    index = Path(os.environ.get("GIT_INDEX_FILE") or repository.own / "index").absolute()
    top = top or Path.cwd()
    rules = search.rules_for(top)
    with repository.opened(index=index) as git:
        head = git.output("rev-parse", "--verify", "--quiet", "HEAD^{tree}", tolerated=1)
        tree = (head or git.output("hash-object", "-t", "tree", "--stdin")).decode().strip()
        fields = git.output("diff-index", "--cached", "-z", *_RAW, "--diff-filter=d", tree).split(b"\0")
        for meta, path in zip(fields[::2], fields[1::2], strict=False):
            mode, blob = meta.split()[1], meta.split()[3].decode()
            name = os.fsdecode(path)
            if mode == _SUBMODULE:
                continue
            if rules.ignores(Path(top.resolve(), name)):
                search.ignored += 1
                continue
            with git.running("cat-file", "blob", blob) as stream:
                search.read(stream, name, rules)


def _search_objects(git: Git, top: Path, search: Search, only: list[str]) -> None:
    rules, directory = search.rules_for(top), top.resolve()
    found: dict[tuple[str, str], list[LocatedLeak]] = {}
    blobs: dict[str, str] = {}
    for one in _objects(git, only, search):
        if one.path and rules.ignores(directory / one.path):
            search.ignored += 1
            continue
        search.advance(without_keys(f"{top} {one.path}"))
        search.files += 1
        for leak in (*leaks_in_path(one.path), *search_stream(one)):
            if one.kind == "blob":
                located = LocatedLeak(leak, without_keys(one.path), one.name, str(top))
                blobs[one.name] = ""
            else:
                located = LocatedLeak(replace(leak, line=0), "", one.name, str(top))
            found.setdefault((located.path, located.fingerprint), []).append(located)
    blobs |= _commits_of(git, sorted(blobs))
    versions = [[replace(each, commit=blobs.get(each.commit, each.commit)) for each in same] for same in found.values()]
    age = _ages(git, {each.commit for same in versions for each in same if len(same) > 1})
    for same in versions:
        search.add(max(same, key=lambda located: age.get(located.commit, -1)), rules)


def _objects(git: Git, only: list[str], search: Search) -> Iterator[_Object]:
    """Every commit, tag and blob, one after the other. Unread bytes of one are skipped."""
    listing = ["rev-list", "--objects", *_EVERYTHING, "--indexed-objects", "--missing=print", "--", *only]
    form = "--batch=%(objecttype) %(objectsize) %(objectname) %(rest)"
    with git.running(*listing) as names, git.running("cat-file", form, "--buffer", source=names) as stream:
        while header := stream.readline():
            fields = header.rstrip(b"\n").split(b" ", 3)
            if len(fields) < 4:
                search.skip(git.name, "an object of its history is not in this clone")
                continue
            kind, size, name, path = fields
            one = _Object(name.decode(), kind.decode(), os.fsdecode(path), stream, int(size))
            if one.kind != "tree":
                yield one
            while one.read(1 << 20):
                pass
            stream.read(1)


def _commits_of(git: Git, blobs: list[str]) -> dict[str, str]:
    """The first commit with each blob, without blobs that only the index has."""
    commits: dict[str, str] = {}
    for start in range(0, len(blobs), _AT_ONCE):
        wanted = [f"--find-object={name}" for name in blobs[start : start + _AT_ONCE]]
        commit = ""
        with (
            git.running("rev-list", "--topo-order", *_EVERYTHING) as names,
            git.running("diff-tree", "--stdin", "-r", "-m", "--root", *_RAW, *wanted, source=names) as stream,
        ):
            for line in stream:
                if line.startswith(b":"):  # git goes back in time, so the last entry is the first commit
                    commits[line.split()[3].decode()] = commit
                elif words := line.split():
                    commit = words[0].decode()
    return commits


def _ages(git: Git, commits: Set[str]) -> dict[str, int]:
    """The position of each commit, back in time, with children before parents. Without commits, git is not run."""
    if not commits:
        return {}
    with git.running("rev-list", "--topo-order", *_EVERYTHING) as stream:
        names = (line.rstrip(b"\n").decode() for line in stream)
        return {name: age for age, name in enumerate(names) if name in commits}
