"""The reference page matches the code."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import keybearer
from keybearer.zuliprc.fields import FIELDS, LOCATORS
from keybearer.zuliprc.kinds import ERROR_KINDS, WARNING_KINDS
from tests.zuliprc.cases import RESOLVING, RULES

SOURCE = Path(keybearer.__file__).parent
DOCUMENTS = Path(__file__).parents[2] / "docs"
PAGE = (DOCUMENTS / "reference" / "zuliprc.md").read_text()
RECORD = (DOCUMENTS / "decisions" / "0010-where-we-differ-from-the-bindings.md").read_text()


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(headings), ["---"] * len(list(headings)), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(*names: str) -> str:
    return ", ".join(f"`{name}`" for name in names if name)


def settings_table() -> str:
    rows = [
        (
            code(*field.file_keys),
            code(field.variable, *field.fallbacks),
            code(*field.options),
            code(field.argument),
            "yes" if field.required else "",
            field.meaning,
        )
        for field in FIELDS.values()
    ]
    return table(("in the file", "variable", "option", "argument", "required", "meaning"), rows)


def locators_table() -> str:
    rows = [
        (code(*locator.options), code(locator.argument), code(locator.variable), locator.meaning)
        for locator in LOCATORS
    ]
    return table(("option", "argument", "variable", "meaning"), rows)


def kinds_table(kinds: Mapping[str, str]) -> str:
    return table(("kind", "means"), [(code(kind), meaning) for kind, meaning in sorted(kinds.items())])


def differences_table() -> str:
    rows = [
        (code(*sorted(case.id for case in RESOLVING if case.rule == rule)), reason)
        for rule, reason in sorted(RULES.items())
    ]
    return table(("cases", "because"), rows)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (PAGE, settings_table()),
        (PAGE, locators_table()),
        (PAGE, kinds_table(ERROR_KINDS)),
        (PAGE, kinds_table(WARNING_KINDS)),
        (RECORD, differences_table()),
    ],
    ids=["settings", "locators", "errors", "warnings", "differences"],
)
def test_each_table_of_the_page_matches_the_code(page: str, expected: str) -> None:
    assert expected in page


def test_the_listed_kinds_are_those_that_are_used() -> None:
    raised: set[str] = set()
    for path in [
        *(SOURCE / "zuliprc").glob("*.py"),
        *(SOURCE / "store").glob("*.py"),
        *(SOURCE / "client").rglob("*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and path.name != "kinds.py":
                raised.add(node.value)

    composed = {"missing_email", "missing_key"}  # made from the name of the missing field
    elsewhere = {"not_a_zulip_server"}  # the kind of NotAZulipServer
    for kind in {*ERROR_KINDS, *WARNING_KINDS} - composed - elsewhere:
        assert kind in raised, kind


def test_every_used_kind_is_listed() -> None:
    for path in [
        *(SOURCE / "zuliprc").glob("*.py"),
        *(SOURCE / "store").glob("*.py"),
        *(SOURCE / "client").rglob("*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            kinds = {"ResolutionError": ERROR_KINDS, "ResolutionWarning": WARNING_KINDS}.get(node.func.id)
            first = node.args[0]
            if kinds is not None and isinstance(first, ast.Constant):
                assert first.value in kinds, f"{path}:{node.lineno}"


if __name__ == "__main__":
    for text in (
        settings_table(),
        locators_table(),
        kinds_table(ERROR_KINDS),
        kinds_table(WARNING_KINDS),
        differences_table(),
    ):
        print(text)
