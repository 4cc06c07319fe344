"""Every page in every state, in light, dark and on a narrow screen: nothing for axe to find, nothing that overflows.

The screenshots are left in `screenshots/`, for people to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.server_process import RunningServer
from tests.web import chromium
from tests.web.organization import Organization
from tests.web.states import SIGNED_IN, SIGNED_OUT, Stage
from tests.web.visitor import sign_in

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def signed_in(browser: Browser, server: RunningServer, organization: Organization) -> Iterator[Stage]:
    with chromium.profile(browser) as profile:
        page = profile.new_page()
        sign_in(page, server)
        yield Stage(page, server.site, organization)


@pytest.fixture(scope="module")
def signed_out(browser: Browser, server: RunningServer, organization: Organization) -> Iterator[Stage]:
    with chromium.profile(browser) as profile:
        yield Stage(profile.new_page(), server.site, organization)


def problems(page: Page) -> str:
    """What axe finds, and whether the page is wider than the screen."""
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    report = found.generate_report() if found.violations_count else ""
    too_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return report + ("the page scrolls sideways" if too_wide else "")


def show(page: Page, name: str) -> list[str]:
    """Look at a state in light, dark and narrow, and leave a picture of each."""
    found = []
    for look, scheme, size in (("light", "light", WIDE), ("dark", "dark", WIDE), ("narrow", "light", NARROW)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size)
        found.append(problems(page))
        page.screenshot(path=SCREENSHOTS / f"{name}-{look}.png", full_page=page.locator("dialog").count() == 0)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size(WIDE)
    return [problem for problem in found if problem]


@pytest.mark.parametrize("name", SIGNED_OUT)
def test_a_page_for_who_is_signed_out_has_no_flaw(signed_out: Stage, name: str) -> None:
    SIGNED_OUT[name](signed_out)
    assert show(signed_out.page, name) == []


@pytest.mark.parametrize("name", SIGNED_IN)
def test_a_page_for_who_is_signed_in_has_no_flaw(signed_in: Stage, name: str) -> None:
    SIGNED_IN[name](signed_in)
    assert show(signed_in.page, name) == []
