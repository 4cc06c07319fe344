"""Where keys are looked for, and what was found there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from keybearer import api_key
from keybearer.cli.commands.scan.recognition import Leak


@dataclass(frozen=True, slots=True)
class LocatedLeak:
    """A leak with its place: a file, or a file as a commit of `repository` has it.

    `commit` is empty for files that lie there now. `path` is then as the search was given it, else relative to the
    repository's top; it is empty for what stands in a commit's or a tag's own message.
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
        where = f"{self.path}:{self.leak.line}" if self.leak.line else f"{self.path} (binary)"
        return f"{self.commit[:12]} {where}" if self.commit else where

    @property
    def fingerprint(self) -> str:
        """What tells this key from others without giving it away."""
        return api_key.fingerprint(self.leak.key)


@dataclass(slots=True)
class Search:
    """One run: what it has gone through, what it found, what it could not read.

    `advance` is called with every path that is begun.
    """

    allowed: frozenset[str] = frozenset()
    advance: Callable[[str], None] = lambda path: None
    files: int = 0
    leaks: dict[LocatedLeak, None] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def add(self, located: LocatedLeak) -> None:
        """Add a leak, unless its key is allowed. A leak that was found before is not added again: a path may be named
        twice, or lie in another one.
        """
        if located.fingerprint not in self.allowed:
            self.leaks.setdefault(located)

    def skip(self, path: str, reason: str) -> None:
        """Note what could not be searched, so that nobody takes it for clean."""
        self.unread.append(f"{path}: {reason}")
