"""Every command and every piece of code on a page is run, in order, or has a reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from tests.docs.blocks import DOCS, SHOWN, Document, is_runnable, pages, read
from tests.docs.reader import Reader
from tests.docs.servers import OWN, Servers, servers_for, with_ada

ROOT = DOCS.parent
DOCUMENTS = [read(path) for path in [*sorted(ROOT.glob("*.md")), *pages()]]
PROGRAMS = ("curl", "git")
"""Programs that pages use and that may not be installed."""

LONG = {"docs/how-to/tls.md", "docs/tutorials/run-a-server.md"}
"""Pages that start many servers."""

FOLLOWED = [page for page in DOCUMENTS if page.is_run]


def name_of(page: Document) -> str:
    return str(page.path.relative_to(ROOT))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The server that most pages share."""
    with with_ada(tmp_path_factory.mktemp("server") / "data") as server:
        yield Servers(server)


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_every_block_is_run_or_has_a_reason_why_not(page: Document) -> None:
    for block in page.blocks:
        place = f"{name_of(page)}:{block.line}"
        assert block.language, f"{place}: name the language of this block, or `{SHOWN}` if it is not code"
        if block.language == SHOWN:
            assert not block.text.startswith("$ "), f"{place}: a block with commands is a `console`"
        else:
            assert is_runnable(block) or block.excuse, (
                f"{place}: write it to a file that is used (`file=NAME`), or say below it: *Not run here: why.*"
            )


@pytest.mark.parametrize("page", FOLLOWED, ids=name_of)
def test_the_file_name_of_a_block_is_in_the_paragraph_above(page: Document) -> None:
    for block in page.blocks:
        if "file" in block.options:
            assert block.options["file"] in block.lead, f"{name_of(page)}:{block.line}"


def followed() -> Iterator[object]:
    """The pages that are followed. Those that need their own server are only for the long run."""
    for page in FOLLOWED:
        is_long = bool(page.needs & OWN) or name_of(page) in LONG
        yield pytest.param(page, id=name_of(page), marks=[pytest.mark.soak] if is_long else [])


@pytest.mark.parametrize("page", list(followed()))
def test_following_the_page_shows_its_output(page: Document, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    missing = [name for name in PROGRAMS if any(f"{name} " in block.text for block in page.blocks) and not which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    home = tmp_path / "ada"
    home.mkdir(mode=0o700)
    database_url = request.getfixturevalue("empty_postgresql_url") if "PostgreSQL" in page.needs else ""
    with servers_for(page.needs, tmp_path, home, database_url) as own:
        Reader(home, request.getfixturevalue("shared") if "server" in page.needs else own).follow(page)
