"""The browser of the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ANSWERS_WITHIN = 15_000.0


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium, or the one that KEYBEARER_CHROMIUM names."""
    path = os.environ.get("KEYBEARER_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS))


@contextmanager
def profile(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A browser profile of its own, which may use the clipboard; closed when the block ends."""
    context = browser.new_context(
        locale="en-GB",
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
        viewport={"width": 1280, "height": 860},
        **{"timezone_id": "Europe/Prague", **options},
    )
    context.set_default_timeout(ANSWERS_WITHIN)
    try:
        yield context
    finally:
        context.close()
