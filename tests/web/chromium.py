"""The browser of the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, ViewportSize, expect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # One process shows all pages. To start another for each navigation takes a quarter of the time of these tests.
    "--renderer-process-limit=1",
    "--disable-site-isolation-trials",
)
ANSWERS_WITHIN = 30_000.0
"""How long a test waits for an answer or for what it expects on a page, in milliseconds. A busy machine may need it."""

VIEWPORT = ViewportSize(width=1280, height=860)


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium, or the browser that KEYBEARER_CHROMIUM names."""
    expect.set_options(timeout=ANSWERS_WITHIN)
    path = os.environ.get("KEYBEARER_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS))


@contextmanager
def profile(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A separate browser profile, which may use the clipboard. It is closed when the block ends."""
    context = browser.new_context(
        locale="en-GB",
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
        viewport=VIEWPORT,
        **{"timezone_id": "Europe/Prague", **options},
    )
    context.set_default_timeout(ANSWERS_WITHIN)
    try:
        yield context
    finally:
        context.close()


@contextmanager
def tab(profile: BrowserContext) -> Iterator[Page]:
    """The tab of a profile, on an empty page. When the block ends, nobody is signed in there, and no other tab is left.

    A new tab costs more than most of what a test does in it, so one tab serves all tests.
    """
    page = profile.pages[0] if profile.pages else profile.new_page()
    try:
        yield page
    finally:
        for other in profile.pages[1:]:
            other.close()
        profile.set_offline(False)
        # First, because a page whose session has ended goes to the form to sign in by itself.
        page.goto("about:blank")
        profile.clear_cookies()
        page.set_viewport_size(VIEWPORT)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
