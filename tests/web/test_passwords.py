"""Passwords and emails: changed directly, and with links that are sent by mail."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Page, expect

from keybearer.server.domain.accounts import Role
from keybearer.server.services import accounts
from tests.server_process import OWNER_PASSWORD, RunningServer, running_server
from tests.web.looks import show
from tests.web.organization import ADMINISTRATOR, GUEST, MEMBER, PASSWORD, Organization
from tests.web.visitor import client_of, sign_in, sign_in_directly
from tests.web.waiting_mail import UNREACHABLE, link_in_mail_to

NEW = "eleven herons over the weir"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a mail server that it cannot reach."""
    with running_server(tmp_path_factory.mktemp("web") / "data", environ=UNREACHABLE) as running:
        yield running


def change_password(page: Page, server: RunningServer, old: str, new: str, *, again: str | None = None) -> None:
    page.goto(f"{server.site}/settings/account/")
    page.get_by_role("link", name="Change your password").click()
    page.get_by_label("Current password", exact=True).fill(old)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password again", exact=True).fill(again or new)


def test_a_changed_password_signs_out_the_others_and_keeps_the_key(
    anybody: Page, other_page: Page, server: RunningServer, organization: Organization, request: pytest.FixtureRequest
) -> None:
    email = f"zora-{len(request.node.name)}@example.com"
    server.on_data(
        lambda context: accounts.add_by_operator(
            context, email=email, full_name="Zora", role=Role.MEMBER, password=PASSWORD
        )
    )
    key = server.api_key_of(email)
    sign_in_directly(anybody.context, server, email)
    sign_in_directly(other_page.context, server, email)
    other_page.goto(f"{server.site}/settings/account/")
    expect(other_page.get_by_text(email)).to_be_visible()
    change_password(anybody, server, PASSWORD.reveal(), NEW)
    anybody.get_by_role("button", name="Change password").click()
    expect(anybody.get_by_text("Your password was changed.").first).to_be_visible()
    other_page.reload()
    assert other_page.url.startswith(f"{server.site}/login/")
    assert server.api_key_of(email) == key
    with client_of(server, email, NEW) as client:
        assert client.get("/settings/account/").status_code == 200


def test_a_new_password_can_come_with_a_new_key(
    anybody: Page, server: RunningServer, organization: Organization
) -> None:
    sign_in_directly(anybody.context, server, ADMINISTRATOR)
    key = server.api_key_of(ADMINISTRATOR)
    change_password(anybody, server, PASSWORD.reveal(), PASSWORD.reveal())
    anybody.get_by_label("Also generate a new API key").check()
    anybody.get_by_role("button", name="Change password").click()
    expect(anybody.get_by_text("Your password and your API key were changed.").first).to_be_visible()
    assert server.api_key_of(ADMINISTRATOR) != key


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("not the password", NEW, NEW), "Wrong password!"),
        ((PASSWORD.reveal(), "password", "password"), "New password is too weak!"),
        ((PASSWORD.reveal(), NEW, f"{NEW}!"), "The two passwords are not the same."),
    ],
)
def test_a_refused_change_says_why(
    anybody: Page, server: RunningServer, organization: Organization, typed: tuple[str, str, str], words: str
) -> None:
    sign_in_directly(anybody.context, server, MEMBER)
    change_password(anybody, server, typed[0], typed[1], again=typed[2])
    anybody.get_by_role("button", name="Change password").click()
    expect(anybody.get_by_role("alert")).to_contain_text(words)


def request_link(page: Page, server: RunningServer, email: str) -> None:
    page.goto(f"{server.site}/login/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(email)
    page.get_by_role("button", name="Send reset link").click()


def test_an_unknown_address_is_answered_like_a_known_one(
    anybody: Page, server: RunningServer, organization: Organization
) -> None:
    for email in ("nobody@example.com", ADMINISTRATOR):
        request_link(anybody, server, email)
        assert anybody.url == f"{server.site}/accounts/password/reset/done/"


def test_a_reset_sets_the_password_and_signs_nobody_in(
    page: Page, server: RunningServer, organization: Organization
) -> None:
    request_link(page, server, GUEST)
    assert show(page, "password-reset-requested") == []
    link = link_in_mail_to(server, GUEST, "/accounts/password/reset/")
    page.goto(link)
    assert show(page, "password-reset-form") == []
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password again", exact=True).fill(f"{NEW}!")
    page.get_by_role("button", name="Reset password").click()
    expect(page.get_by_role("alert")).to_contain_text("The two passwords are not the same.")
    assert show(page, "password-reset-refused") == []

    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password again", exact=True).fill(NEW)
    page.get_by_role("button", name="Reset password").click()
    expect(page.get_by_role("heading", name="Your password was reset")).to_be_visible()
    page.goto(f"{server.site}/settings/account/")
    assert page.url.startswith(f"{server.site}/login/")
    sign_in(page, server, GUEST, NEW)

    page.goto(link)
    expect(page.get_by_role("heading", name="This link is no longer valid")).to_be_visible()


def test_too_many_requests_are_asked_to_wait(page: Page, server: RunningServer) -> None:
    for _ in range(3):
        request_link(page, server, "somebody@example.com")
    expect(page.get_by_role("alert")).to_contain_text("Too many attempts. Try again in")


def test_a_forged_host_does_not_reach_the_mail(server: RunningServer, organization: Organization) -> None:
    with httpx2.Client(base_url=server.site, headers={"Host": "evil.example"}, timeout=30) as client:
        answer = client.get("/accounts/password/reset/")
    assert answer.status_code == 404
    assert "evil.example" not in answer.text


def test_an_email_is_changed_by_a_link_to_the_new_address_and_back_by_one_to_the_old(
    anybody: Page, other_page: Page, server: RunningServer, organization: Organization, request: pytest.FixtureRequest
) -> None:
    page, name = anybody, f"perdita-{len(request.node.name)}"
    is_looked_at = "[with scripts]" in request.node.name  # axe is a script
    old, new = f"{name}@example.com", f"{name}@bohemia.example"
    server.on_data(
        lambda context: accounts.add_by_operator(
            context, email=old, full_name="Perdita", role=Role.MEMBER, password=PASSWORD
        )
    )
    sign_in_directly(page.context, server, old)
    page.goto(f"{server.site}/settings/account/")
    page.get_by_role("link", name="Change your email").click()
    page.get_by_label("New email", exact=True).fill(new)
    page.get_by_label("Your password", exact=True).fill("not the password")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("alert")).to_contain_text("Password is incorrect.")
    assert not is_looked_at or show(page, "account-email-refused") == []
    page.get_by_label("New email", exact=True).fill(new)
    page.get_by_label("Your password", exact=True).fill(PASSWORD.reveal())
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("Check the inbox of your new email").first).to_be_visible()

    page.goto(link_in_mail_to(server, new, "/settings/account/email/confirm/"))
    assert not is_looked_at or show(page, "email-confirm") == []
    page.get_by_role("button", name="Confirm new email").click()
    expect(page.get_by_text(f"email={new}")).to_be_visible()
    expect(page.get_by_text("Your API key", exact=True)).to_be_visible()
    assert not is_looked_at or show(page, "email-programs") == []

    other_page.goto(link_in_mail_to(server, old, "/accounts/email/undo/"))
    assert show(other_page, "email-undo") == []
    other_page.get_by_role("button", name="Change it back").click()
    expect(other_page.get_by_role("heading", name="Your email was changed back")).to_be_visible()
    assert show(other_page, "email-undone") == []
    page.goto(f"{server.site}/settings/account/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, server, old, PASSWORD.reveal())
    page.goto(f"{server.site}/settings/security-log/")
    expect(page.get_by_text("Your email was changed back, by the link").first).to_be_visible()


def test_an_error_is_visible_where_the_keyboard_focus_begins(
    plain_page: Page, server: RunningServer, organization: Organization
) -> None:
    plain_page.set_viewport_size({"width": 360, "height": 420})
    plain_page.goto(f"{server.site}/settings/account/password/")
    for label in ("Current password", "New password", "New password again"):
        plain_page.get_by_label(label, exact=True).fill("password")
    plain_page.get_by_label("Current password").fill(OWNER_PASSWORD)
    plain_page.get_by_role("button", name="Change password").click()
    error = plain_page.locator("#new_password1-error")
    error.wait_for()
    box = error.bounding_box()
    assert box is not None
    assert 0 <= box["y"] <= box["y"] + box["height"] <= 420
