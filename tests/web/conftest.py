"""What the tests of the pages share: one server with some life in it and one browser for each module."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

from tests.server_process import RunningServer, running_server
from tests.web import chromium
from tests.web.organization import MEMBER, PASSWORD, Organization, populate
from tests.web.visitor import client_of, sign_in


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with an organization and its owner."""
    with running_server(tmp_path_factory.mktemp("web") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def organization(server: RunningServer) -> Organization:
    """The server's organization, with people, bots and devices in it."""
    return populate(server)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        launched = chromium.launch(playwright)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def owner_cookies(browser: Browser, server: RunningServer) -> StorageState:
    """The cookies of a browser in which the owner has signed in."""
    with chromium.profile(browser) as profile:
        sign_in(profile.new_page(), server)
        return profile.storage_state()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of its own, which may use the clipboard."""
    with chromium.profile(browser) as profile:
        yield profile


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab in which nobody is signed in."""
    return context.new_page()


@pytest.fixture
def owner_page(browser: Browser, owner_cookies: StorageState) -> Iterator[Page]:
    """A tab in which the owner is signed in."""
    with chromium.profile(browser, storage_state=owner_cookies) as profile:
        yield profile.new_page()


@pytest.fixture
def plain_page(browser: Browser, owner_cookies: StorageState) -> Iterator[Page]:
    """A tab without JavaScript in which the owner is signed in."""
    with chromium.profile(browser, java_script_enabled=False, storage_state=owner_cookies) as profile:
        yield profile.new_page()


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
    with httpx2.Client(base_url=server.site) as client:
        yield client
