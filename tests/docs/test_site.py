"""The links of the documentation have targets, and its site builds without a warning."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.docs.blocks import DOCS, pages

ROOT = DOCS.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *pages()]


def inline(path: Path) -> list[Token]:
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    return [token for token in tokens if token.type == "inline"]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub and the site make them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for opening, token in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in token.children or [] if child.type in {"text", "code_inline"})
            name = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
            numbered = (f"{name}-{number}" for number in range(1, 1000))
            found.add(name if name not in found else next(each for each in numbered if each not in found))
    return found


def links(path: Path) -> list[str]:
    children = [child for token in inline(path) for child in token.children or []]
    return [
        str(child.attrs.get("href") or child.attrs.get("src"))
        for child in children
        if child.type in {"link_open", "image"}
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_internal_link_has_a_target(path: Path) -> None:
    for link in links(path):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{path.name}: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{path.name}: {link}"


def test_every_page_is_reachable_from_the_first() -> None:
    reached: set[Path] = set()
    waiting = [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        entries = re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for entry in [line for block in entries for line in block.splitlines() if not line.startswith(":")]:
            waiting += (
                [found.resolve() for found in sorted(page.parent.glob(f"{entry}.md"))]
                if "*" in entry
                else [(page.parent / f"{entry}.md").resolve()]
            )

    assert reached == set(pages())


@pytest.mark.soak
def test_the_site_builds_without_warnings_and_loads_only_its_own_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html"]
    built = subprocess.run([*command, str(DOCS), str(tmp_path / "site")], capture_output=True, text=True, check=False)

    assert (built.returncode, built.stderr) == (0, "")
    built_page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(?:https?:)?//[^"]*"', built_page) == []
