"""The text of a zuliprc while it is fixed: every line still knows where it stands in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from keybearer.zuliprc.document import Document


@dataclass(frozen=True, slots=True)
class ZuliprcDraft:
    """Lines without their ends, which are LF, and the number of the line of the file that each is from.

    A line that is new has the number of the one that it was made for. Methods count the draft's lines, from 1.
    """

    path: str
    lines: tuple[str, ...] = field(repr=False)
    numbers: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, text: str, path: str) -> ZuliprcDraft:
        """The draft of a text whose lines all end in LF."""
        lines = tuple(text.removesuffix("\n").split("\n")) if text else ()
        return cls(path, lines, tuple(range(1, len(lines) + 1)))

    @classmethod
    def made(cls, text: str, path: str) -> ZuliprcDraft:
        """The draft of a text that was made out of the whole file: every line is from its first."""
        draft = cls.of(text, path)
        return cls(path, draft.lines, (1,) * len(draft.lines))

    def text(self) -> str:
        """The whole text, the key in it."""
        return "".join(f"{line}\n" for line in self.lines)

    def document(self) -> Document:
        """The draft as it is read. Its places count the draft's lines: see `in_file`."""
        return Document(self.text(), self.path)

    def line(self, number: int) -> str:
        """A line of the draft."""
        return self.lines[number - 1]

    def place(self, number: int) -> str:
        """Where a line of the draft stands in the file."""
        return f"{self.path}:{self.numbers[number - 1]}"

    def with_lines(self, changes: Mapping[int, Sequence[str]]) -> ZuliprcDraft:
        """This draft with other lines, none or several, in the place of these."""
        pairs = [
            (text, number)
            for at, (line, number) in enumerate(zip(self.lines, self.numbers, strict=True), start=1)
            for text in changes.get(at, (line,))
        ]
        return ZuliprcDraft(self.path, tuple(text for text, _ in pairs), tuple(number for _, number in pairs))

    def in_file(self, text: str) -> str:
        """A text about lines of the draft (`path:3`, `line 3`) as one about those of the file."""
        return re.sub(
            rf"({re.escape(self.path)}:|\bline )(\d+)\b",
            lambda found: f"{found[1]}{self.numbers[min(int(found[2]), len(self.numbers)) - 1]}",
            text,
        )
