"""Searches the history of git: every version of every file that a branch, tag, stash or reflog has, and the messages.

One git process streams all objects.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from keybearer import api_key
from keybearer.cli.commands.scan.git import Git, Repository, top_of
from keybearer.cli.commands.scan.ignoring import Rules
from keybearer.cli.commands.scan.objects import RAW, Object, ages, blobs, commits_of, objects, occurrences
from keybearer.cli.commands.scan.places import LocatedLeak, Search, leaks_in_path, without_keys
from keybearer.cli.commands.scan.recognition import Leak
from keybearer.cli.commands.scan.streams import search_stream
from keybearer.errors import FileError

_SUBMODULE = b"160000"


def search_history(top: Path, search: Search, *, within: str = "") -> None:
    """Search the whole history of the repository at `top`, or only changes `within` a path below it.

    Each key is reported once for each path, with the commit that added it. A repository with several working trees is
    searched once. Raises FileError if git cannot read the repository.
    """
    repository = Repository.at(top)
    if repository is None or not search.begin_history(repository.common, within):
        return
    with repository.opened() as git:
        only = [within] if within not in {"", "."} else []
        _History(git, top, top.resolve(), search, search.rules_for(top), only).run()


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
        fields = git.output("diff-index", "--cached", "-z", *RAW, "--diff-filter=d", tree).split(b"\0")
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


@dataclass(slots=True)
class _History:
    """The search of the history of `top`, whose real path is `directory`, or of the part that has the paths `only`.

    A blob is ignored if all its paths are. git lists an object once, with one of its paths. So the other paths are
    requested if an ignored path or a key in the name of a file makes them matter.
    """

    git: Git
    top: Path
    directory: Path
    search: Search
    rules: Rules
    only: list[str]
    ignored: set[str] = field(default_factory=set)
    found: dict[tuple[str, str], dict[tuple[Leak, str, str], None]] = field(default_factory=dict)

    def run(self) -> None:
        """Search everything, and add each key once for each path."""
        has_named_key = False
        for one in self._readable(objects(self.git, self.only)):
            if one.kind == "tree":
                has_named_key = one.has_key() or has_named_key
            elif one.kind == "blob" and self._ignores(one.path):
                self.ignored.add(one.name)
            else:
                self._read(one, one.path)
        if has_named_key or self.ignored:
            self._search_other_paths()
        self.search.ignored += len(self.ignored)
        self._add_oldest()

    def _search_other_paths(self) -> None:
        """Search the names of all files, and the blobs that have a path which is not ignored."""
        searched: dict[str, str] = {}
        try:
            for name, path in occurrences(self.git, self.only):
                leaks = leaks_in_path(path)
                undecided = name in self.ignored and name not in searched
                if (undecided or leaks) and not self._ignores(path):
                    if undecided:
                        searched[name] = path
                    self._note(leaks, path, name)
        except FileError as error:
            self.search.skip(str(self.top), str(error))
        for one in self._readable(blobs(self.git, searched)):
            self.ignored.remove(one.name)
            self._read(one, searched[one.name])

    def _readable(self, found: Iterator[Object | None]) -> Iterator[Object]:
        for one in found:
            if one is None:
                self.search.skip(self.git.name, "an object of its history is not in this clone")
            else:
                yield one

    def _ignores(self, path: str) -> bool:
        return bool(path) and self.rules.ignores(self.directory / path)

    def _read(self, one: Object, path: str) -> None:
        self.search.advance(without_keys(f"{self.top} {path}"))
        self.search.files += 1
        leaks = (*leaks_in_path(path), *search_stream(one, comments=self.search.exceptions))
        if one.kind == "blob":
            self._note(leaks, path, one.name)
        else:
            self._note((replace(leak, line=0) for leak in leaks), "", one.name)

    def _note(self, leaks: Iterable[Leak], path: str, name: str) -> None:
        for leak in leaks:
            place = without_keys(path), api_key.fingerprint(leak.key)
            self.found.setdefault(place, {}).setdefault((leak, path, name))

    def _add_oldest(self) -> None:
        names = {name for same in self.found.values() for _, path, name in same if path}
        commits = commits_of(self.git, sorted(names))
        versions = [[self._located(*each, commits) for each in same] for same in self.found.values()]
        age = ages(self.git, {each.commit for same in versions for each in same if len(same) > 1})
        for same in versions:
            self.search.add(max(same, key=lambda located: age.get(located.commit, -1)), self.rules)

    def _located(self, leak: Leak, path: str, name: str, commits: Mapping[tuple[str, str], str]) -> LocatedLeak:
        """The leak with the first commit that has the blob `name`, or in the message of the commit or tag `name`."""
        commit = (commits.get((name, path)) or commits.get((name, ""), "")) if path else name
        return LocatedLeak(leak, without_keys(path), commit, str(self.top))
