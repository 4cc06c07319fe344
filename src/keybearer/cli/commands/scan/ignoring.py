"""`.keybearerignore`: the files and keys that a search ignores."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from keybearer.cli.commands.scan.git import GIT
from keybearer.errors import FileError

IGNORE_FILE = ".keybearerignore"
_LARGEST = 1 << 20
FINGERPRINT = re.compile("[0-9a-fA-F]{8}")
_FINGERPRINT = re.compile(rf"fingerprint:\s*({FINGERPRINT.pattern})\s*(?:#.*)?\Z")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A line with a path, as in a `.gitignore`: `segments` of it, `**` for any number of directories."""

    segments: tuple[str, ...]
    only_directories: bool
    included: bool

    @classmethod
    def parse(cls, line: str) -> Pattern:
        included = line.startswith("!")
        text = line[1:] if included or line.startswith(("\\#", "\\!")) else line
        path = text.strip("/").replace("[^", "[!")
        anchored = "/" in text.rstrip("/")
        return cls((*(() if anchored else ("**",)), *path.split("/")), text.endswith("/"), included)

    def matches(self, path: tuple[str, ...], *, is_directory: bool) -> bool:
        """Whether the pattern matches this path itself. The time is at most the product of both lengths."""
        if self.only_directories and not is_directory:
            return False
        reached = {0}
        for number, segment in enumerate(self.segments):
            if segment == "**":
                least = min(reached) + (number == len(self.segments) - 1)
                reached = set(range(least, len(path) + 1))
            else:
                reached = {at + 1 for at in reached if at < len(path) and fnmatch.fnmatchcase(path[at], segment)}
            if not reached:
                return False
        return len(path) in reached


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in the ignore file of a directory and in those of the directories above it."""

    directory: Path = Path("/")
    patterns: tuple[Pattern, ...] = ()
    fingerprints: frozenset[str] = frozenset()
    above: Rules | None = None

    def ignores(self, path: Path, *, is_directory: bool = False) -> bool:
        """Whether a file or directory, or one of the directories above it, is ignored. `path` is absolute."""
        if self.above is not None and self.above.ignores(path, is_directory=is_directory):
            return True
        if not self.patterns or not path.is_relative_to(self.directory):
            return False
        parts = path.relative_to(self.directory).parts
        return any(
            self._verdict(parts[:length], is_directory=is_directory or length < len(parts))
            for length in range(1, len(parts) + 1)
        )

    def allows(self, fingerprint: str) -> bool:
        """Whether the key with this fingerprint may be public."""
        return fingerprint in self.fingerprints or (self.above is not None and self.above.allows(fingerprint))

    def below(self, directory: Path) -> Rules:
        """These rules with those that `directory` has itself. Raises FileError for an ignore file that is invalid."""
        text = _read(directory / IGNORE_FILE)
        if text is None:
            return self
        patterns, fingerprints = [], set()
        for number, line in enumerate(map(str.rstrip, text.splitlines()), start=1):
            if not line or line.startswith("#"):
                continue
            if line.startswith("fingerprint:"):
                match = _FINGERPRINT.match(line)
                if match is None:
                    raise FileError(
                        f"{directory / IGNORE_FILE}:{number}: A fingerprint has 8 hexadecimal digits",
                        hint="Copy it from the output of the scan",
                    )
                fingerprints.add(match[1].lower())
            else:
                patterns.append(Pattern.parse(line))
        return Rules(directory, tuple(patterns), frozenset(fingerprints), self)

    def _verdict(self, path: tuple[str, ...], *, is_directory: bool) -> bool:
        """The rule of the last pattern that matches this path."""
        for pattern in reversed(self.patterns):
            if pattern.matches(path, is_directory=is_directory):
                return not pattern.included
        return False


def rules_for(path: Path) -> Rules:
    """The rules for `path`: those of its directory and of all above it up to the top of its repository.

    Raises FileError for an ignore file that is invalid or cannot be read.
    """
    path = path.resolve()
    here = path if path.is_dir() else path.parent
    above = [here, *here.parents]
    tops = [number for number, directory in enumerate(above) if _exists(directory / GIT)]
    rules = Rules()
    for directory in reversed(above[: tops[0] + 1] if tops else [here]):
        rules = rules.below(directory)
    return rules


def _exists(path: Path) -> bool:
    """Whether there is such a file or directory, as far as it may be known."""
    try:
        return path.exists()
    except OSError:
        return False


def _read(path: Path) -> str | None:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise FileError(f"{path}: This is not a file", hint="Replace it, or use --no-ignore")
            return os.fsdecode(stream.read(_LARGEST))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}", hint="Correct it, or use --no-ignore") from None
