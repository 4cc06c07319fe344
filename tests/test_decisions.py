"""The index of the decision records matches the records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECORDS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
INDEX = ROOT / "docs" / "decisions" / "README.md"

INDEX_LINE = re.compile(r"^\| (\d+) \| \[(.+)\]\((\S+)\) \| (.+) \|$", re.MULTILINE)


def number_and_title(record: Path) -> tuple[str, str]:
    """The number and title in the first line of a record: `# 1. Title`."""
    first_line = record.read_text("utf-8").partition("\n")[0]
    match = re.fullmatch(r"# (\d+)\. (.+)", first_line)
    assert match, f"{record.name} starts with {first_line!r}"
    return match[1], match[2]


def test_the_index_lists_every_record_with_its_number_and_title_in_order() -> None:
    listed = [(number, title, name) for number, title, name, _ in INDEX_LINE.findall(INDEX.read_text("utf-8"))]

    assert listed == [(*number_and_title(record), record.name) for record in RECORDS]


def test_every_record_has_its_own_number() -> None:
    numbers = [number_and_title(record)[0] for record in RECORDS]

    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_the_file_name_of_a_record_starts_with_its_number(record: Path) -> None:
    assert record.name.startswith(f"{int(number_and_title(record)[0]):04}-")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_states_question_decision_reasons_and_consequences(record: Path) -> None:
    headings = re.findall(r"^\*\*(\w+)\.\*\* ?", record.read_text("utf-8"), re.MULTILINE)

    assert headings == ["Question", "Decision", "Reasons", "Consequences"]
