"""What a person does in the browser, in the words of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import Client
from playwright.sync_api import BrowserContext, Page

from keybearer.secret import Secret
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.http import csrf
from keybearer.server.http.cookies import SESSION_COOKIE
from keybearer.server.http.csrf import FIELD
from keybearer.server.services import realms
from keybearer.server.services.context import Context
from keybearer.server.services.sessions import open_session
from keybearer.server.storage import accounts
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer


def sign_in(page: Page, server: RunningServer, email: str = OWNER_EMAIL, password: str = OWNER_PASSWORD) -> None:
    """Sign in on the sign-in page. The settings follow."""
    page.goto(f"{server.site}/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{server.site}/settings/account/")


def sign_in_directly(profile: BrowserContext, server: RunningServer, email: str = OWNER_EMAIL) -> None:
    """Give a browser profile a session, as signing in would, without using the page."""

    async def open_one(context: Context) -> Secret:
        realm = await realms.find(context)
        async with context.reading() as connection:
            account = await accounts.find_by_email(connection, realm.id, email)
        assert account is not None
        async with context.change(
            Caller(account, RequestOrigin("127.0.0.1", "Chrome/150.0 (X11; Linux x86_64)"))
        ) as change:
            return (await open_session(change, account)).token

    token = server.on_data(open_one).reveal()
    values = {SESSION_COOKIE: token, csrf.COOKIE: csrf.token_of_session(token)}
    profile.clear_cookies()
    for name, value in values.items():
        profile.add_cookies([{"name": name, "value": value, "url": server.site, "httpOnly": True, "sameSite": "Lax"}])


def clipboard(page: Page) -> str:
    """The content of the clipboard, which is then cleared: the next test must not find it."""
    text = page.evaluate(
        "async () => { const text = await navigator.clipboard.readText();"
        " await navigator.clipboard.writeText(''); return text; }"
    )
    assert isinstance(text, str)
    return text


@contextmanager
def client_of(
    server: RunningServer, email: str = OWNER_EMAIL, password: str = OWNER_PASSWORD, *, user_agent: str = "Browser/1.0"
) -> Iterator[Client]:
    """An HTTP client with the session of a signed-in account, and no other state of a browser."""
    with Client(base_url=server.site, headers={"User-Agent": user_agent}, timeout=30) as client:
        form = {"username": email, "password": password, FIELD: token_in(client.get("/login/").text)}
        assert client.post("/login/", data=form).status_code == 302
        yield client


def token_in(page: str) -> str:
    """The CSRF token in the forms of a page."""
    found = re.search(rf'name="{FIELD}" value="([^"]+)"', page)
    assert found is not None
    return found[1]
