"""A page of the documentation as a list of steps, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

DOCS = Path(__file__).parents[2] / "docs"
SHOWN = "text"
"""The language of blocks that are not code: output, signatures, lines of a log."""

_EXCUSE = re.compile(r"\*?Not run here: (\S.*)", re.DOTALL)
_BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")  # what is within a paragraph stays one text
_COMMENT = re.compile(r"<!-- (Run with|In the browser): (.+?) -->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    `options` are the words after its language:

    - `file=bot.py`: write it there;
    - `terminal=2`: run it in another terminal, where its last command keeps running. For a text: its output by then;
    - `output`: the output of the block above.

    `lead` is the text of the paragraph above, `excuse` the reason below it why it is not run.
    """

    line: int
    language: str
    options: dict[str, str]
    text: str
    lead: str = ""
    excuse: str = ""


@dataclass(frozen=True)
class BrowserStep:
    """A step that the reader does in the browser."""

    line: int
    name: str


@dataclass(frozen=True)
class Document:
    """A page. `needs` are its requirements, such as a server."""

    path: Path
    needs: frozenset[str]
    steps: tuple[Block | BrowserStep, ...]

    @property
    def blocks(self) -> list[Block]:
        """Its fenced blocks."""
        return [step for step in self.steps if isinstance(step, Block)]

    @property
    def is_run(self) -> bool:
        """Whether any block on it is run."""
        return any(is_runnable(block) and not block.excuse for block in self.blocks)


def is_runnable(block: Block) -> bool:
    """Whether the runner can run a block, or write it to the file that it names."""
    return block.language in {"console", "python"} or "file" in block.options


def read(path: Path) -> Document:
    """Read a page."""
    tokens = _BLOCKS.parse(path.read_text(encoding="utf-8"))
    steps: list[Block | BrowserStep] = []
    needs: frozenset[str] = frozenset()
    for index, token in enumerate(tokens):
        if token.type == "fence" and not token.info.startswith("{"):
            steps.append(_block(tokens, index))
        elif token.type == "html_block" and (comment := _COMMENT.match(token.content)):
            if comment[1] == "Run with":
                needs = frozenset(re.split(r",\s*", comment[2]))
            else:
                steps.append(BrowserStep(_line(token), " ".join(comment[2].split())))
    return Document(path, needs, tuple(steps))


def _block(tokens: list[Token], index: int) -> Block:
    token = tokens[index]
    language, *words = token.info.split() or [""]
    options = {name: value for name, _, value in (word.partition("=") for word in words)}
    excuse = _EXCUSE.match(next(_texts(tokens[index + 1 : index + 3]), ""))
    lead = next(_texts(reversed(tokens[max(0, index - 3) : index])), "")
    return Block(_line(token), language, options, token.content, lead, excuse[1] if excuse else "")


def _texts(tokens: list[Token] | Iterator[Token]) -> Iterator[str]:
    return (token.content for token in tokens if token.type == "inline")


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0


def pages() -> list[Path]:
    """All pages."""
    return sorted(DOCS.rglob("*.md"))
