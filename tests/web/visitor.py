"""What a person does in the browser, in the words of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import Client
from playwright.sync_api import Page

from keybearer.server.middleware.csrf import FIELD
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


@contextmanager
def client_of(server: RunningServer, email: str = OWNER_EMAIL, password: str = OWNER_PASSWORD) -> Iterator[Client]:
    """An HTTP client with the session of somebody who has signed in, and nothing else of a browser."""
    with Client(base_url=server.site) as client:
        form = {"username": email, "password": password, FIELD: token_in(client.get("/login/").text)}
        assert client.post("/login/", data=form).status_code == 302
        yield client


def token_in(page: str) -> str:
    """The token against forgery that the forms of a page carry."""
    found = re.search(rf'name="{FIELD}" value="([^"]+)"', page)
    assert found is not None
    return found[1]
