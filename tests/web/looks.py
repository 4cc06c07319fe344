"""Looks at a page as people with different eyes and screens do, and leaves pictures for people to look at."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.web.chromium import VIEWPORT

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
_AXE = Axe()
_RUN = "async rules => ({ ...(await axe.run(rules)), passes: [], incomplete: [], inapplicable: [] })"
"""Only what is wrong is returned. The rest is long, and nobody reads it."""

EVERYTHING: dict[str, object] = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
CONTRAST: dict[str, object] = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}
"""The only rule that checks colours."""


def show(page: Page, name: str) -> list[str]:
    """Look at a page in light, dark and narrow, and save a picture of each. Returns what is wrong with it."""
    found = [_look(page, f"{name}-light", EVERYTHING)]
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found.append(_look(page, f"{name}-dark", CONTRAST))
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size({"width": 360, "height": 740})
    found.append(_look(page, f"{name}-narrow", EVERYTHING))
    page.set_viewport_size(VIEWPORT)
    return [problem for problem in found if problem]


def _look(page: Page, name: str, rules: dict[str, object]) -> str:
    is_whole = page.locator("dialog").count() == 0
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=is_whole)
    if page.evaluate("typeof axe") == "undefined":  # a page keeps it in every mode
        page.evaluate(_AXE.axe_script)
    found = AxeResults(page.evaluate(_RUN, rules))
    report = str(found.generate_report()) if found.violations_count else ""
    too_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return report + ("the page scrolls sideways" if too_wide else "")
