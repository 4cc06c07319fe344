"""What a person does in the browser, in the words of the page."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer


def sign_in(page: Page, server: RunningServer, email: str = OWNER_EMAIL, password: str = OWNER_PASSWORD) -> None:
    """Sign in on the sign-in page; the settings follow."""
    page.goto(f"{server.site}/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{server.site}/settings/account/")


def clipboard(page: Page) -> str:
    """What lies on the clipboard."""
    text = page.evaluate("navigator.clipboard.readText()")
    assert isinstance(text, str)
    return text
