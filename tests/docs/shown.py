"""The text of a terminal on a page: commands, the answers to their questions, and their output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

HIDDEN = "········"
"""The text on a page for a password that the reader types."""

_QUESTION = re.compile(rf"^(.*\S) ({HIDDEN}|[yn])$")
_ELLIPSIS = re.compile(r"…|\.\.\.")


def commands_in(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a block, each with the output that follows it; an empty one for Ctrl-C in the first line."""
    command: str | None = None
    expected: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ ") or (line == "^C" and command is None):
            if command is not None:
                yield command, expected
            command, expected = line[2:] if line.startswith("$ ") else "", []
        elif line.startswith("> ") and command is not None and not expected:
            command += "\n" + line[2:]
        elif line.strip():
            expected.append(line)
    if command is not None:
        yield command, expected


def answers(expected: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The questions in an output, each with the reader's answer: `y`, `n`, or `HIDDEN`."""
    for line in expected:
        if found := _QUESTION.match(line):
            yield found[1], found[2]


def matches(expected: Sequence[str], shown: str) -> bool:
    """Whether the output of a terminal matches a page.

    Any white space matches a space. An ellipsis matches any text; in its own line, any number of lines.
    """
    pattern = ""
    for line in expected:
        question = _QUESTION.match(line)
        kept = question[1] if question and question[2] == HIDDEN else line
        if kept.strip() in {"…", "..."}:
            pattern += r"(?s:.*?)\s*"
        else:
            parts = [r"\s+".join(re.escape(word) for word in part.split()) for part in _ELLIPSIS.split(kept)]
            pattern += r"\s*.*?\s*".join(parts) + r"\s*\n\s*"
    return re.fullmatch(pattern + r"\s*", shown.strip() + "\n") is not None


def difference(place: str, expected: Sequence[str], shown: str) -> str:
    """A message about the difference."""
    return "\n".join([f"{place}: the page shows", *expected, "and there is", shown])
