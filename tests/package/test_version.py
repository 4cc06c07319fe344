"""The version is the same everywhere, and changelog entries have a valid kind."""

from __future__ import annotations

import re
import tomllib

import keybearer
from tests.package.installing import ROOT


def test_the_changelog_starts_with_this_version_and_its_date() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (.*)$", text, re.MULTILINE)

    assert first is not None
    assert re.fullmatch(rf"{re.escape(keybearer.__version__)} \(\d{{4}}-\d\d-\d\d\)", first[1])


def test_every_changelog_entry_has_a_valid_kind() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    kinds = {kind["directory"] for kind in project["tool"]["towncrier"]["type"]}
    names = [path.name for path in (ROOT / "changes").iterdir() if path.name != "README.md"]

    assert [name for name in names if not re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(kinds)})\.md", name)] == []


def test_the_documents_name_this_version_for_download() -> None:
    named = {
        version
        for page in (ROOT / "docs").rglob("*.md")
        for version in re.findall(r"rev: v(\S+)", page.read_text("utf-8"))
    }

    assert named == {keybearer.__version__}
