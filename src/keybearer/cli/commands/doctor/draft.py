"""The text of a zuliprc while it is fixed. Every line keeps its line number in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from keybearer.zuliprc.document import Document


@dataclass(frozen=True, slots=True)
class ZuliprcDraft:
    """Lines without their ends (LF), each with the number of the file's line that it is from.

    A new line has the number of the line for which it was added. Methods count the draft's lines, from 1.
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
        """The draft of a text made from the whole file: every line has the number 1."""
        draft = cls.of(text, path)
        return cls(path, draft.lines, (1,) * len(draft.lines))

    def text(self) -> str:
        """The whole text, including the key."""
        return "".join(f"{line}\n" for line in self.lines)

    def document(self) -> Document:
        """The draft as a document. Its places have the draft's line numbers: see `in_file`."""
        return Document(self.text(), self.path)

    def line(self, number: int) -> str:
        """A line of the draft."""
        return self.lines[number - 1]

    def place(self, number: int) -> str:
        """The place of a line of the draft in the file."""
        return f"{self.path}:{self.numbers[number - 1]}"

    def with_lines(self, changes: Mapping[int, Sequence[str]]) -> ZuliprcDraft:
        """This draft with these lines replaced, each by none, one or several."""
        pairs = [
            (text, number)
            for at, (line, number) in enumerate(zip(self.lines, self.numbers, strict=True), start=1)
            for text in changes.get(at, (line,))
        ]
        return ZuliprcDraft(self.path, tuple(text for text, _ in pairs), tuple(number for _, number in pairs))

    def in_file(self, text: str) -> str:
        """A text with line numbers of the draft (`path:3`, `line 3`), changed to those of the file."""
        return re.sub(
            rf"({re.escape(self.path)}:|\bline )(\d+)\b",
            lambda found: f"{found[1]}{self.numbers[min(int(found[2]), len(self.numbers)) - 1]}",
            text,
        )
