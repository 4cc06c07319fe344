"""Looking at a page as people with different eyes and screens do, and leaving pictures for people to look at."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"


def problems(page: Page) -> str:
    """What axe finds, and whether the page is wider than the screen."""
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    report = found.generate_report() if found.violations_count else ""
    too_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return report + ("the page scrolls sideways" if too_wide else "")


def show(page: Page, name: str) -> list[str]:
    """Look at a page in light, dark and narrow, and leave a picture of each; returns what is wrong with it."""
    found = [_look(page, f"{name}-light")]
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found.append(_look(page, f"{name}-dark"))
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size({"width": 360, "height": 740})
    found.append(_look(page, f"{name}-narrow"))
    page.set_viewport_size({"width": 1280, "height": 860})
    return [problem for problem in found if problem]


def _look(page: Page, name: str) -> str:
    is_whole = page.locator("dialog").count() == 0
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=is_whole)
    return problems(page)
