"""Signing in and out, and where one is signed in."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from keybearer.server.http.csrf import FIELD
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer
from tests.web import chromium
from tests.web.organization import FORMER, PASSWORD, Organization
from tests.web.visitor import client_of, sign_in, sign_in_directly, token_in


def try_to_sign_in(page: Page, server: RunningServer, email: str, password: str) -> None:
    page.goto(f"{server.site}/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    with page.expect_response(f"{server.site}/login/") as answered:
        page.get_by_role("button", name="Sign in").click()
    assert answered.value.status == 200


@pytest.mark.parametrize("email", [OWNER_EMAIL, "nobody@example.com", "builds-bot@keybearer.localhost"])
def test_wrong_password_unknown_address_and_bot_are_answered_alike(
    page: Page, server: RunningServer, organization: Organization, email: str
) -> None:
    try_to_sign_in(page, server, email, "not the password")
    expect(page.get_by_role("alert")).to_have_text("Incorrect email or password.")
    assert page.get_by_label("Email").input_value() == email


def test_only_somebody_who_knows_the_password_learns_that_an_account_is_deactivated(
    page: Page, server: RunningServer, organization: Organization
) -> None:
    try_to_sign_in(page, server, FORMER, "not the password")
    expect(page.get_by_role("alert")).to_have_text("Incorrect email or password.")
    try_to_sign_in(page, server, FORMER, PASSWORD.reveal())
    expect(page.get_by_role("alert")).to_contain_text(f"Your account {FORMER} has been deactivated.")


def test_too_many_attempts_are_answered_with_the_time_to_wait(page: Page, server: RunningServer) -> None:
    with httpx2.Client(base_url=server.site, timeout=30) as client:
        form = {FIELD: token_in(client.get("/login/").text)}
        for _ in range(5):
            client.post("/login/", data={**form, "username": "somebody@example.com", "password": "not the password"})
    try_to_sign_in(page, server, "somebody@example.com", "not the password")
    expect(page.get_by_role("alert")).to_have_text("Too many attempts. Try again in 30 minutes.")


def test_a_page_that_needs_sign_in_is_shown_after_it(page: Page, server: RunningServer) -> None:
    page.goto(f"{server.site}/settings/bots/?status=deactivated")
    assert page.url == f"{server.site}/login/?next=/settings/bots/%3Fstatus%3Ddeactivated"
    page.get_by_label("Email").fill(OWNER_EMAIL)
    page.get_by_label("Password", exact=True).fill(OWNER_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{server.site}/settings/bots/?status=deactivated")


def test_signing_out_ends_the_session_on_the_server(page: Page, server: RunningServer) -> None:
    sign_in(page, server)
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{server.site}/login/")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    answer = httpx2.get(f"{server.site}/settings/account/", cookies=cookies)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/login/")


def test_a_sign_in_ends_the_session_that_the_browser_had_before(page: Page, server: RunningServer) -> None:
    sign_in(page, server)
    before = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}["sessionid"]
    token = page.locator("[name=csrfmiddlewaretoken]").first.get_attribute("value") or ""
    form = {"username": OWNER_EMAIL, "password": OWNER_PASSWORD, "csrfmiddlewaretoken": token}
    with httpx2.Client(base_url=server.site, cookies={"sessionid": before}, timeout=30) as client:
        answer = client.post("/login/", data=form)
    assert answer.status_code == 302
    assert answer.cookies["sessionid"] != before
    after = httpx2.get(f"{server.site}/settings/account/", cookies={"sessionid": before})
    assert after.headers["location"].startswith("/login/")


def test_another_browser_is_signed_out_with_one_click(tab: Page, server: RunningServer) -> None:
    safari = "Mozilla/5.0 (iPhone) Version/18.0 Mobile/15E148 Safari/604.1"
    with client_of(server, user_agent=safari) as elsewhere:
        tab.goto(f"{server.site}/settings/sessions/")
        tab.get_by_role("button", name="Sign out Safari 18 on iPhone").first.click()
        expect(tab.get_by_text("That browser was signed out.").first).to_be_visible()
        assert elsewhere.get("/settings/account/").headers["location"].startswith("/login/")


def test_all_other_browsers_are_signed_out_and_this_one_stays(
    owner_page: Page, other_page: Page, server: RunningServer
) -> None:
    sign_in(other_page, server)
    owner_page.goto(f"{server.site}/settings/sessions/")
    owner_page.get_by_role("button", name="Sign out all others").click()
    expect(owner_page.get_by_text("Every other browser was signed out.").first).to_be_visible()
    expect(owner_page.get_by_text("this browser")).to_be_visible()
    expect(owner_page.get_by_role("button", name="Sign out all others")).to_have_count(0)
    other_page.goto(f"{server.site}/settings/account/")
    assert other_page.url.startswith(f"{server.site}/login/")


def test_signing_out_this_browser_in_the_list_leads_to_the_sign_in_page(
    owner_page: Page, server: RunningServer
) -> None:
    owner_page.goto(f"{server.site}/settings/sessions/")
    owner_page.get_by_role("button", name="this browser").click()
    owner_page.wait_for_url(f"{server.site}/login/")


def test_one_mobile_device_is_signed_out(owner_page: Page, server: RunningServer, organization: Organization) -> None:
    owner_page.goto(f"{server.site}/settings/sessions/")
    owner_page.get_by_role("button", name="Sign out Android").click()
    expect(owner_page.get_by_text("That mobile device no longer gets notifications.").first).to_be_visible()
    expect(owner_page.get_by_text("Android", exact=True)).to_have_count(0)
    expect(owner_page.get_by_text("iPhone or iPad")).to_be_visible()


def test_a_dialog_leads_to_sign_in_if_the_session_has_ended(owner_page: Page, server: RunningServer) -> None:
    owner_page.goto(f"{server.site}/settings/account/")
    owner_page.context.clear_cookies()
    owner_page.locator("#api_key_button").click()
    owner_page.wait_for_url(f"{server.site}/login/")


def test_times_are_shown_in_the_readers_own_zone(browser: Browser, server: RunningServer) -> None:
    seen = []
    for zone in ("Asia/Tokyo", "America/New_York"):
        with chromium.profile(browser, timezone_id=zone) as profile:
            sign_in_directly(profile, server)
            page = profile.new_page()
            page.goto(f"{server.site}/settings/account/")
            moment = page.locator("time").first
            assert (moment.text_content() or "").endswith((" ago", "just now"))
            seen.append((moment.get_attribute("datetime"), moment.get_attribute("title")))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] != seen[1][1]
