"""Set-up in the browser: one link, one form, without any script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.server_process import RunningServer, started_server
from tests.web import chromium
from tests.web.looks import show


@pytest.fixture(scope="module")
def empty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server without an organization."""
    with started_server(tmp_path_factory.mktemp("setup") / "data") as server:
        yield server


@pytest.fixture
def plain(plain_profile: BrowserContext) -> Iterator[Page]:
    """A tab without JavaScript."""
    with chromium.tab(plain_profile) as opened:
        yield opened


def fill(page: Page, password: str) -> None:
    page.get_by_label("Organization name").fill("Ostrava Observatory")
    page.get_by_label("Your name").fill("Iva Bergmann")
    page.get_by_label("Your email").fill("iva@observatory.example")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Create organization").click()


def test_before_set_up_every_page_says_where_the_link_is(page: Page, empty_server: RunningServer) -> None:
    page.goto(f"{empty_server.site}/settings/bots/")
    expect(page.get_by_role("heading", name="This server is not set up yet")).to_be_visible()
    assert show(page, "setup-pending") == []


def test_an_invalid_token_opens_nothing(page: Page, empty_server: RunningServer) -> None:
    answer = page.goto(f"{empty_server.site}/setup/another-token/")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="This link is no longer valid")).to_be_visible()


def test_the_form_has_no_flaw_and_suggests_the_site(page: Page, empty_server: RunningServer) -> None:
    page.goto(empty_server.setup_link or "")
    assert page.get_by_label("Site address").input_value() == empty_server.site
    assert show(page, "setup-form") == []
    fill(page, "password")
    expect(page.get_by_role("alert")).to_contain_text("New password is too weak!")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    assert show(page, "setup-refused") == []


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "3 more characters"),
        ("password1", "Easy to guess"),
        ("iva-bergmann", "Easy to guess"),
        ("nine lanterns by the river", "Strong"),
    ],
)
def test_the_strength_of_a_password_shows_while_it_is_typed(
    page: Page, empty_server: RunningServer, password: str, words: str
) -> None:
    page.goto(empty_server.setup_link or "")
    page.get_by_label("Your name").fill("Iva Bergmann")
    page.get_by_label("Password", exact=True).fill(password)
    expect(page.locator("#password-strength")).to_contain_text(words)


@pytest.mark.parametrize(
    ("label", "value"), [("Your name", "Iva *"), ("Site address", "https://"), ("Your email", "iva@x")]
)
def test_the_keyboard_focus_begins_at_the_wrong_field(
    page: Page, empty_server: RunningServer, label: str, value: str
) -> None:
    page.goto(empty_server.setup_link or "")
    page.locator("form").evaluate("form => { form.noValidate = true; }")
    fields = {"Organization name": "Observatory", "Your name": "Iva Bergmann", "Your email": "iva@observatory.example"}
    for each, good in (fields | {"Password": "nine lanterns by the river", label: value}).items():
        page.get_by_label(each, exact=True).fill(good)
    page.get_by_role("button", name="Create organization").click()
    expect(page.get_by_label(label)).to_be_focused()
    expect(page.get_by_role("alert")).to_have_count(1)


def test_a_new_user_creates_the_organization_and_is_signed_in(plain: Page, empty_server: RunningServer) -> None:
    link = empty_server.setup_link or ""
    plain.goto(link)
    fill(plain, "password")
    expect(plain.get_by_role("alert")).to_contain_text("New password is too weak!")
    assert plain.get_by_label("Your name").input_value() == "Iva Bergmann"

    fill(plain, "nine lanterns by the river")
    plain.wait_for_url(f"{empty_server.site}/settings/account/")
    expect(plain.get_by_text("Your organization is ready.")).to_be_visible()
    expect(plain.get_by_text("iva@observatory.example", exact=True)).to_be_visible()
    plain.reload()
    expect(plain.get_by_text("Your organization is ready.")).to_have_count(0)

    plain.goto(link)
    expect(plain.get_by_text("The organization Ostrava Observatory already exists.")).to_be_visible()
