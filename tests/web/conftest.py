"""What the tests of the pages share: a server with content for each module, and one browser."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.server_process import RunningServer, running_server
from tests.web import chromium
from tests.web.organization import MEMBER, PASSWORD, Organization, populate
from tests.web.visitor import client_of, sign_in_directly

WITHOUT_SCRIPTS_IN_EVERY_RUN = ("test_api_keys", "test_sessions")
"""The pages about keys and signing in are tested without scripts in every run, the others only in the long run."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what only the long run runs."""
    if "[without scripts" in item.name and item.path.stem not in WITHOUT_SCRIPTS_IN_EVERY_RUN:
        item.add_marker(pytest.mark.soak)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with an organization and its owner."""
    with running_server(tmp_path_factory.mktemp("web") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def organization(server: RunningServer) -> Organization:
    """The server's organization, with people, bots and devices in it."""
    return populate(server)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. It ends with the package: while it runs, its event loop replaces any other."""
    with sync_playwright() as playwright:
        launched = chromium.launch(playwright)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile. Each test leaves it as if it were new."""
    with chromium.profile(browser) as opened:
        yield opened


@pytest.fixture(scope="package")
def other_profile(browser: Browser) -> Iterator[BrowserContext]:
    """Another person's browser profile."""
    with chromium.profile(browser) as opened:
        yield opened


@pytest.fixture(scope="package")
def plain_profile(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile without JavaScript."""
    with chromium.profile(browser, java_script_enabled=False) as opened:
        yield opened


@pytest.fixture
def page(profile: BrowserContext) -> Iterator[Page]:
    """A tab without a session."""
    with chromium.tab(profile) as opened:
        yield opened


@pytest.fixture
def other_page(other_profile: BrowserContext) -> Iterator[Page]:
    """Another person's tab, without a session."""
    with chromium.tab(other_profile) as opened:
        yield opened


@pytest.fixture
def owner_page(profile: BrowserContext, server: RunningServer) -> Iterator[Page]:
    """A tab in which the owner is signed in."""
    with chromium.tab(profile) as opened:
        sign_in_directly(profile, server)
        yield opened


@pytest.fixture
def plain_page(plain_profile: BrowserContext, server: RunningServer) -> Iterator[Page]:
    """A tab without JavaScript in which the owner is signed in."""
    with chromium.tab(plain_profile) as opened:
        sign_in_directly(plain_profile, server)
        yield opened


@pytest.fixture(params=["with scripts", "without scripts"])
def anybody(request: pytest.FixtureRequest) -> Iterator[Page]:
    """A tab of either kind without a session."""
    found = request.getfixturevalue("profile" if request.param == "with scripts" else "plain_profile")
    assert isinstance(found, BrowserContext)
    with chromium.tab(found) as opened:
        yield opened


@pytest.fixture(params=["with scripts", "without scripts"])
def tab(request: pytest.FixtureRequest) -> Page:
    """A tab of either kind in which the owner is signed in."""
    found = request.getfixturevalue("owner_page" if request.param == "with scripts" else "plain_page")
    assert isinstance(found, Page)
    return found


@pytest.fixture(scope="module")
def owner(server: RunningServer, organization: Organization) -> Iterator[httpx2.Client]:
    """An HTTP client with the owner's session."""
    with client_of(server) as client:
        yield client


@pytest.fixture(scope="module")
def member(server: RunningServer, organization: Organization) -> Iterator[httpx2.Client]:
    """An HTTP client with a member's session."""
    with client_of(server, MEMBER, PASSWORD.reveal()) as client:
        yield client


@pytest.fixture
def nobody(server: RunningServer, organization: Organization) -> Iterator[httpx2.Client]:
    """An HTTP client in which nobody is signed in."""
    with httpx2.Client(base_url=server.site, timeout=30) as client:
        yield client
