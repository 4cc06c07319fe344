"""A page that shows what its form created is reloaded: nothing is created a second time, and the page says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from tests.server_process import RunningServer
from tests.web.looks import show
from tests.web.organization import MEMBER, PASSWORD, Organization
from tests.web.visitor import sign_in

DONE_ALREADY = "This was already done"
SEND = """([action, body]) => {
  const form = Object.assign(document.createElement("form"), { method: "post", action });
  for (const [name, value] of new URLSearchParams(body)) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
}"""


@contextmanager
def sent_again(page: Page) -> Iterator[None]:
    """What the block sends is sent again after it, as by a reload of the answer. (A browser asks the person first.)"""
    with page.expect_request(lambda request: request.method == "POST") as sent:
        yield
    page.evaluate(SEND, [sent.value.url, sent.value.post_data])
    expect(page.get_by_role("heading", name=DONE_ALREADY)).to_be_visible()


def test_a_reload_creates_no_second_key(plain_page: Page, server: RunningServer) -> None:
    plain_page.goto(f"{server.site}/settings/account/api-key/regenerate/")
    with sent_again(plain_page):
        plain_page.get_by_role("button", name="Generate new API key").click()
        expect(plain_page.get_by_text("This is your new API key")).to_be_visible()
        new = server.api_key_of()
    assert server.api_key_of() == new


def test_a_reload_creates_no_second_key_of_a_bot(
    plain_page: Page, server: RunningServer, organization: Organization
) -> None:
    bot = organization.bot
    plain_page.goto(f"{server.site}/settings/bots/{bot.id}/api-key/regenerate/")
    with sent_again(plain_page):
        plain_page.get_by_role("button", name="Generate new API key").click()
        expect(plain_page.get_by_text("This is the bot's new API key")).to_be_visible()
        new = server.api_key_of(bot.delivery_email)
    assert server.api_key_of(bot.delivery_email) == new


def test_a_reload_invites_nobody_again_and_shows_no_link(
    plain_page: Page, server: RunningServer, organization: Organization
) -> None:
    plain_page.goto(f"{server.site}/organization/invitations/add/")
    plain_page.get_by_label("Emails").fill("yorick@example.com")
    with sent_again(plain_page):
        plain_page.get_by_role("button", name="Invite", exact=True).click()
        expect(plain_page.locator(".secret-link")).to_be_visible()
    expect(plain_page.locator(".secret-link")).to_have_count(0)
    plain_page.get_by_role("link", name="Back to the invitations").click()
    row = plain_page.get_by_role("row", name="yorick@example.com")
    with sent_again(plain_page):
        row.get_by_role("button", name="Create a new link").click()
        expect(plain_page.locator(".secret-link")).to_be_visible()


@pytest.mark.parametrize("who", ["owner_page", pytest.param("plain_page", marks=pytest.mark.soak)])
def test_a_forgotten_password_is_reset_by_a_link_that_an_administrator_passes_on(
    who: str, other_page: Page, server: RunningServer, organization: Organization, request: pytest.FixtureRequest
) -> None:
    other_page.goto(f"{server.site}/login/")
    other_page.get_by_role("link", name="Forgot your password?").click()
    expect(other_page.get_by_text("Ask an administrator of Example")).to_be_visible()

    page: Page = request.getfixturevalue(who)
    page.goto(f"{server.site}/organization/users/?filter={MEMBER}")
    page.get_by_title("Manage user").click()
    page.get_by_role("link", name="create a reset link").click()
    page.get_by_role("button", name="Create reset link").click()
    link = page.locator(".secret-link").text_content() or ""
    page.get_by_role("link", name="Done").click()
    expect(page.locator(".secret-link")).to_have_count(0)

    other_page.goto(link)
    other_page.get_by_label("New password", exact=True).fill(PASSWORD.reveal())
    other_page.get_by_label("New password again", exact=True).fill(PASSWORD.reveal())
    other_page.get_by_role("button", name="Reset password").click()
    sign_in(other_page, server, MEMBER, PASSWORD.reveal())
    expect(other_page.get_by_text("an administrator created a link for a new password")).to_be_visible()
    other_page.goto(f"{server.site}/settings/security-log/")
    expect(other_page.get_by_text("Olivia Owner created a link for a new password for you.").first).to_be_visible()


def test_the_page_for_a_form_sent_again_has_no_flaw(owner_page: Page, server: RunningServer) -> None:
    owner_page.goto(f"{server.site}/organization/invitations/add/")
    with sent_again(owner_page):
        owner_page.get_by_label("Emails").fill("osric@example.com")
        owner_page.get_by_role("button", name="Invite", exact=True).click()
        expect(owner_page.locator(".secret-link")).to_be_visible()
    assert show(owner_page, "done-already") == []
