"""The documents about the code name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "keybearer"
DOCUMENTS = sorted((ROOT / "docs").glob("architecture*.md"))

NAMED = re.compile(r"`([\w./-]*\w\.(?:py|md|toml|html|json|css|js|in|txt)|[\w./-]+/)`")
"""A file, or a directory with its slash, in code."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_named_file_exists(document: Path) -> None:
    named = NAMED.findall(document.read_text(encoding="utf-8"))

    assert len(named) > 10
    assert [path for path in named if not exists(path)] == []


def exists(path: str) -> bool:
    """Whether the path exists in the root or in the package; for a placeholder, whether its directory exists."""
    path = re.sub(r"(test_)?(NOUN|NAME).*", "", path)
    return (ROOT / path).exists() or any((base / path).exists() for base in (SOURCE, SOURCE / "server"))
