"""The places that are searched, and the results."""

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
    """A leak with its place: a file, or a file in a commit of `repository`.

    `commit` is empty for files as they are now; then `path` is as it was given. Otherwise `path` is relative to the
    repository's top directory. It is empty for the message of a commit or a tag.
    """

    leak: Leak
    path: str
    commit: str = ""
    repository: str = ""

    @property
    def place(self) -> str:
        """The place as text: `path:line`, after the commit if there is one."""
        if not self.path:
            return f"message of {self.commit[:12]}"
        where = f"{self.path}:{self.leak.line}" if self.leak.line else f"{self.path} (no line)"
        return f"{self.commit[:12]} {where}" if self.commit else where

    @property
    def fingerprint(self) -> str:
        """It identifies this key without revealing it."""
        return api_key.fingerprint(self.leak.key)


@dataclass(slots=True)
class Search:
    """One run, with the paths that were searched, found leaks, ignored paths, and paths that could not be read.

    `advance` is called with every path before it is searched. `exceptions` says whether ignore files and the
    comment ALLOWED are heeded.
    """

    allowed: frozenset[str] = frozenset()
    advance: Callable[[str], None] = lambda path: None
    exceptions: bool = True
    files: int = 0
    ignored: int = 0
    leaks: dict[LocatedLeak, None] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)
    _histories: set[tuple[Path, str]] = field(default_factory=set)

    def read(self, stream: Readable, path: str, rules: Rules) -> None:
        """Search a stream, which is reported as `path`, and that path itself."""
        self.files += 1
        shown = without_keys(path)
        for leak in (*leaks_in_path(path), *search_stream(stream, comments=self.exceptions)):
            self.add(LocatedLeak(leak, shown), rules)

    def begin_history(self, repository: Path, within: str) -> bool:
        """Whether this part of a history still has to be searched, since several paths can lead to it."""
        if {(repository, ""), (repository, within)} & self._histories:
            return False
        self._histories.add((repository, within))
        return True

    def rules_for(self, path: Path, above: Rules | None = None) -> Rules:
        """The rules for `path`, and for everything below it if it is a directory. `above` are the rules for its parent,
        if they are known.
        """
        if not self.exceptions:
            return Rules()
        try:
            return rules_for(path) if above is None else above.below(path)
        except FileError as error:
            self.unread.setdefault(without_keys(str(error)))
            return above or Rules()

    def add(self, located: LocatedLeak, rules: Rules) -> None:
        """Add a leak, unless its key is allowed or the leak was found before: a path may be named twice, or be inside
        another one.
        """
        if rules.allows(located.fingerprint):
            self.ignored += 1
        elif located.fingerprint not in self.allowed:
            self.leaks.setdefault(located)

    def skip(self, path: str, reason: str) -> None:
        """Record what could not be searched, once, so that it does not seem clean."""
        self.unread.setdefault(without_keys(f"{path}: {reason}"))


def leaks_in_path(path: str) -> list[Leak]:
    """Our keys in the names of a file and its directories."""
    return [Leak("keybearer", key, 0) for _, key in api_key.find(path)]


def without_keys(path: str) -> str:
    """A path or a message with a mask for each of our keys in it."""
    for _, key in api_key.find(path):
        path = path.replace(key.reveal(), key.masked())
    return path
