"""The documents about the command line match the commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from keybearer.cli.main import keybearer as group
from tests.cli.reference import PAGE, render

DOCUMENTS = Path(__file__).parents[2]
_EXAMPLE = re.compile(r"^(?:\$ )?(keybearer .*?)(?:\s{2,}#.*)?$", re.MULTILINE)

EXAMPLES = [
    pytest.param(line, id=f"{path.name}: {line}")
    for path in [DOCUMENTS / "README.md", *sorted((DOCUMENTS / "docs").rglob("*.md"))]
    if path != PAGE
    for line in _EXAMPLE.findall(path.read_text(encoding="utf-8"))
]


def test_the_reference_matches_the_commands() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m tests.cli.reference"


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_in_the_documents_is_a_valid_command(line: str) -> None:
    words = shlex.split(line.partition(" | ")[0].partition(" > ")[0], comments=True)[1:]
    command: click.Command = group
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        below = command.get_command(click.Context(command), words[0])
        assert below is not None, words[0]
        command, words = below, words[1:]
    end = words.index("--") if "--" in words else len(words)
    given = {word.partition("=")[0] for word in words[:end] if re.match(r"--?[a-z]", word)}

    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "--version"}
    assert given <= known
