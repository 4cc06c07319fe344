"""Where keys are looked for, and what was found there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from keybearer import api_key
from keybearer.cli.commands.scan.ignoring import Rules, rules_for
from keybearer.cli.commands.scan.recognition import Leak
from keybearer.cli.commands.scan.streams import Readable, search_stream
from keybearer.errors import FileError


@dataclass(frozen=True, slots=True)
class LocatedLeak:
    """A leak with its place: a file, or a file as a commit of `repository` has it.

    `commit` is empty for files as they are now. `path` is then as the search was given it, else relative to the
    repository's top; it is empty for what is in a commit's or a tag's own message.
    """

    leak: Leak
    path: str
    commit: str = ""
    repository: str = ""

    @property
    def place(self) -> str:
        """How the place is shown: `path:line`, after the commit if there is one."""
        if not self.path:
            return f"message of {self.commit[:12]}"
        where = f"{self.path}:{self.leak.line}" if self.leak.line else f"{self.path} (no line)"
        return f"{self.commit[:12]} {where}" if self.commit else where

    @property
    def fingerprint(self) -> str:
        """What tells this key from others without giving it away."""
        return api_key.fingerprint(self.leak.key)


@dataclass(slots=True)
class Search:
    """One run: what it has gone through, what it found, what it passed over, what it could not read.

    `advance` is called with every path that is begun. `ignore_files` says whether ignore files are read.
    """

    allowed: frozenset[str] = frozenset()
    advance: Callable[[str], None] = lambda path: None
    ignore_files: bool = True
    files: int = 0
    ignored: int = 0
    leaks: dict[LocatedLeak, None] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    _histories: set[tuple[Path, str]] = field(default_factory=set)

    def read(self, stream: Readable, path: str, rules: Rules) -> None:
        """Search a stream, which is reported as `path`, and that path itself."""
        self.files += 1
        shown = without_keys(path)
        for leak in (*leaks_in_path(path), *search_stream(stream)):
            self.add(LocatedLeak(leak, shown), rules)

    def begin_history(self, repository: Path, within: str) -> bool:
        """Whether this part of a history still has to be searched: several paths can lead to it."""
        if {(repository, ""), (repository, within)} & self._histories:
            return False
        self._histories.add((repository, within))
        return True

    def rules_for(self, path: Path, above: Rules | None = None) -> Rules:
        """What is passed over at `path`, and below it if it is a directory. `above` are the rules for its parent, where
        they are known.
        """
        if not self.ignore_files:
            return Rules()
        try:
            return rules_for(path) if above is None else above.below(path)
        except FileError as error:
            self.unread.append(without_keys(str(error)))
            return above or Rules()

    def add(self, located: LocatedLeak, rules: Rules) -> None:
        """Add a leak, unless its key is allowed. A leak that was found before is not added again: a path may be named
        twice, or be in another one.
        """
        if rules.allows(located.fingerprint):
            self.ignored += 1
        elif located.fingerprint not in self.allowed:
            self.leaks.setdefault(located)

    def skip(self, path: str, reason: str) -> None:
        """Note what could not be searched, so that nobody takes it for clean."""
        self.unread.append(without_keys(f"{path}: {reason}"))


def leaks_in_path(path: str) -> list[Leak]:
    """The keys of ours in the names of a file and of its directories."""
    return [Leak("keybearer", key, 0) for _, key in api_key.find(path)]


def without_keys(path: str) -> str:
    """A path or a message with a mask for every key of ours in it."""
    for _, key in api_key.find(path):
        path = path.replace(key.reveal(), key.masked())
    return path
