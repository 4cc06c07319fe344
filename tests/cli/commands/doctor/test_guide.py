"""The guide to the doctor matches the code, and every kind of finding is in a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import keybearer
from keybearer.cli.commands.doctor import kinds
from keybearer.cli.commands.doctor.kinds import KINDS, RESOLVING_KINDS, Kind
from keybearer.zuliprc.kinds import WARNING_KINDS

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "doctor.md").read_text(encoding="utf-8")
SOURCE = Path(keybearer.__file__).parent / "cli" / "commands" / "doctor"
TABLES = {
    "file": kinds.FILE_KINDS,
    "environment": kinds.ENVIRONMENT_KINDS,
    "key": kinds.KEY_KINDS,
    "certificates": kinds.TLS_KINDS,
    "server": kinds.SERVER_KINDS,
}

REASONS = frozenset(
    {"unknown_issuer", "name_mismatch", "client_certificate_required", "not_tls", "bad_client_certificate"}
)
"""Kinds that are named after a reason of TLSFailed."""


def table(found: Mapping[str, Kind]) -> str:
    lines = ["| finding | is | means | `--fix` |", "| --- | --- | --- | --- |"]
    lines += [f"| `{name}` | {kind.severity} | {kind.meaning} | {kind.fix} |" for name, kind in found.items()]
    return "\n".join(lines) + "\n"


def fixes_table() -> str:
    lines = ["| finding | `--fix` |", "| --- | --- |"]
    lines += [f"| `{name}` | {kind.fix} |" for name, kind in sorted(RESOLVING_KINDS.items()) if kind.fix]
    return "\n".join(lines) + "\n"


def grave_warnings() -> str:
    return ", ".join(f"`{name}`" for name in sorted(WARNING_KINDS) if KINDS[name].severity == "fault")


@pytest.mark.parametrize("theme", TABLES)
def test_each_table_of_the_guide_matches_the_code(theme: str) -> None:
    assert table(TABLES[theme]) in PAGE


def test_the_guide_lists_what_fix_does_about_errors_of_resolving() -> None:
    assert fixes_table() in PAGE


def test_the_guide_lists_the_warnings_of_resolving_that_are_faults() -> None:
    assert grave_warnings() in PAGE.replace("\n", " ")


def texts_of(directory: Path) -> Iterator[str]:
    """Every string in the Python files of a directory, except in the tables of kinds and in this file."""
    for path in directory.glob("*.py"):
        if path.name not in {"kinds.py", Path(__file__).name}:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_every_kind_of_finding_is_in_the_code_and_in_a_test() -> None:
    own = set().union(*TABLES.values())

    assert own - REASONS - set(texts_of(SOURCE)) == set()
    assert own - set(texts_of(Path(__file__).parent)) == set()


def test_every_finding_has_a_listed_kind() -> None:
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                kind = node.args[0]
                assert not isinstance(kind, ast.Constant) or kind.value in KINDS, f"{path}:{node.lineno}"


if __name__ == "__main__":
    print(*(table(found) for found in TABLES.values()), fixes_table(), grave_warnings(), sep="\n")
