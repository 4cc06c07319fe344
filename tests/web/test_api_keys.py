"""One's own API key: shown for the password, copied, downloaded, used, replaced; with and without scripts."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from pathlib import Path

import httpx2
from playwright.sync_api import Error, Page, expect

from keybearer.server.http.csrf import FIELD
from keybearer.server.services.context import Context
from keybearer.server.storage.tables import sessions
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer, run_keybearer
from tests.web.organization import Organization
from tests.web.visitor import client_of, clipboard, token_in

KEY = "#api_key_value"


def status_with(server: RunningServer, key: str, email: str = OWNER_EMAIL) -> tuple[int, str]:
    """What the wire answers to a key: the status and Zulip's words."""
    answer = httpx2.get(f"{server.site}/api/v1/users/me", auth=(email, key))
    return answer.status_code, answer.json()["msg"]


def get_key(page: Page, server: RunningServer) -> str:
    """From the account page to the key, as a person goes."""
    page.goto(f"{server.site}/settings/account/")
    page.get_by_role("link", name="Manage your API key").click()
    page.locator("#get_api_key_password").fill(OWNER_PASSWORD)
    page.get_by_role("button", name="Get API key").click()
    expect(page.locator(KEY)).to_be_visible()
    return page.locator(KEY).text_content() or ""


def download(page: Page, directory: Path) -> Path:
    """Press "Download zuliprc", and save the file."""
    with page.expect_download() as started:
        page.get_by_role("button", name="Download zuliprc").click()
    assert started.value.suggested_filename == "zuliprc"
    path = directory / "zuliprc"
    started.value.save_as(path)
    path.chmod(0o600)
    return path


def forget_password(server: RunningServer) -> None:
    """Make every session's password an hour old."""

    async def set_back(context: Context) -> None:
        async with context.change(None) as change:
            long_ago = context.clock() - timedelta(hours=1)
            await change.connection.execute(sessions.update().values(confirmed_at=long_ago))

    server.on_data(set_back)


def test_a_wrong_password_is_refused_with_a_clear_message(tab: Page, server: RunningServer) -> None:
    tab.goto(f"{server.site}/settings/account/")
    tab.locator("#api_key_button").click()
    tab.locator("#get_api_key_password").fill("not the password")
    tab.locator("#get_api_key_button").click()
    expect(tab.locator("#api_key_status")).to_have_text("Error: Password is incorrect.")
    expect(tab.locator(KEY)).to_have_count(0)
    link = tab.get_by_role("link", name="reset it")
    assert link.get_attribute("href") == "/accounts/password/reset/"


def test_the_key_is_shown_for_the_password_and_works(tab: Page, server: RunningServer) -> None:
    key = get_key(tab, server)
    assert key == server.api_key_of()
    assert status_with(server, key) == (200, "")
    expect(tab.locator("#show_api_key")).to_contain_text(
        "Anyone with your API key can impersonate you, so be doubly careful with it."
    )
    expect(tab.locator("#show_api_key")).to_contain_text("chmod 600 ~/.zuliprc")


def test_the_downloaded_file_is_a_zuliprc_that_works(tab: Page, server: RunningServer, tmp_path: Path) -> None:
    key = get_key(tab, server)
    zuliprc = download(tab, tmp_path)
    assert zuliprc.read_bytes().decode() == f"[api]\nemail={OWNER_EMAIL}\nkey={key}\nsite={server.site}\n"
    told = run_keybearer("whoami", "--json", "--config-file", zuliprc)
    assert json.loads(told.stdout)["email"] == OWNER_EMAIL, told.stderr


def test_a_new_key_ends_the_old_one_at_once(tab: Page, server: RunningServer, tmp_path: Path) -> None:
    old = get_key(tab, server)
    tab.get_by_role("link", name="Generate new API key").click()
    expect(tab.get_by_text("Your current API key stops working at once")).to_be_visible()
    expect(tab.get_by_text("all mobile devices: you are logged out there")).to_be_visible()
    assert status_with(server, old) == (200, "")

    tab.get_by_role("button", name="Generate new API key").click()
    expect(tab.get_by_text("This is your new API key")).to_be_visible()
    new = tab.locator(KEY).text_content() or ""
    assert status_with(server, old) == (401, "Invalid API key")
    assert status_with(server, new) == (200, "")
    assert f"key={new}\n" in download(tab, tmp_path).read_text()


def test_a_new_key_stays_visible_if_its_page_was_opened_directly(tab: Page, server: RunningServer) -> None:
    tab.goto(f"{server.site}/settings/account/api-key/")
    tab.locator("#get_api_key_password").fill(OWNER_PASSWORD)
    tab.get_by_role("button", name="Get API key").click()
    tab.get_by_role("link", name="Generate new API key").click()
    tab.get_by_role("button", name="Generate new API key").click()
    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(tab.get_by_text("This is your new API key")).to_be_visible()
    assert tab.locator(KEY).text_content() == server.api_key_of()


def test_the_keyboard_focus_continues_where_a_page_changed(owner_page: Page, server: RunningServer) -> None:
    owner_page.goto(f"{server.site}/settings/account/api-key/")
    owner_page.locator("#get_api_key_password").fill("not the password")
    owner_page.keyboard.press("Enter")
    expect(owner_page.get_by_role("alert")).to_be_visible()
    expect(owner_page.locator("#get_api_key_password")).to_be_focused()
    owner_page.keyboard.type(OWNER_PASSWORD)
    owner_page.keyboard.press("Enter")
    expect(owner_page.locator(KEY)).to_be_visible()
    expect(owner_page.locator("main")).to_be_focused()
    owner_page.get_by_role("link", name="Generate new API key").press("Enter")
    owner_page.get_by_role("button", name="Generate new API key").press("Enter")
    expect(owner_page.get_by_role("status").filter(has_text="This is your new API key")).to_be_focused()


def test_a_key_needs_the_password_again_after_a_while(tab: Page, server: RunningServer) -> None:
    old = get_key(tab, server)
    forget_password(server)
    tab.get_by_role("link", name="Generate new API key").click()
    expect(tab.get_by_text("Please enter your password again")).to_be_visible()
    forget_password(server)
    assert status_with(server, old) == (200, "")


def test_a_download_needs_the_password_again_after_a_while(tab: Page, server: RunningServer) -> None:
    get_key(tab, server)
    forget_password(server)
    tab.get_by_role("button", name="Download zuliprc").click()
    expect(tab.get_by_text("Please enter your password again")).to_be_visible()


def test_the_copy_icon_copies_the_key_and_says_so(owner_page: Page, server: RunningServer) -> None:
    key = get_key(owner_page, server)
    owner_page.get_by_role("button", name="Copy API key").click()
    expect(owner_page.get_by_role("button", name="Copied!")).to_be_visible()
    assert clipboard(owner_page) == key
    expect(owner_page.get_by_role("button", name="Copy API key")).to_be_visible()


def test_a_key_selected_by_hand_is_copied_without_its_gaps(owner_page: Page, server: RunningServer) -> None:
    key = get_key(owner_page, server)
    owner_page.locator(KEY).click()
    owner_page.keyboard.press("Control+c")
    assert clipboard(owner_page) == key


def test_closing_the_dialog_removes_the_key_from_the_page(owner_page: Page, server: RunningServer) -> None:
    key = get_key(owner_page, server)
    assert key in (owner_page.locator("html").text_content() or "")
    owner_page.keyboard.press("Escape")
    expect(owner_page.get_by_role("dialog")).to_have_count(0)
    expect(owner_page.locator("html")).not_to_contain_text(key)
    expect(owner_page.locator("#api_key_button")).to_be_focused()


def test_going_back_shows_no_key(plain_page: Page, server: RunningServer) -> None:
    key = get_key(plain_page, server)
    plain_page.goto(f"{server.site}/help/")
    with contextlib.suppress(Error):  # the browser has not stored the page, and does not send a form by itself
        plain_page.go_back()
    expect(plain_page.locator("html")).not_to_contain_text(key)


def test_the_question_before_a_new_key_starts_at_cancel(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    get_key(owner_page, server)
    owner_page.get_by_role("link", name="Generate new API key").click()
    question = owner_page.get_by_role("dialog", name="Generate a new API key?")
    expect(question.get_by_text("2 are registered")).to_be_visible()
    expect(question.get_by_text("Last used")).to_be_visible()
    expect(question.get_by_role("link", name="Cancel")).to_be_focused()
    owner_page.keyboard.press("Enter")
    expect(question).to_have_count(0)
    expect(owner_page.get_by_role("link", name="Generate new API key")).to_be_focused()
    expect(owner_page.locator(KEY)).to_be_visible()


def test_a_new_key_removes_mobile_devices(owner_page: Page, server: RunningServer, organization: Organization) -> None:
    owner_page.goto(f"{server.site}/settings/sessions/")
    owner_page.get_by_role("link", name="Sign out all mobile devices").click()
    owner_page.get_by_role("button", name="Generate new API key").click()
    expect(owner_page.get_by_text("You have been logged out on all 2 mobile devices.")).to_be_visible()
    owner_page.keyboard.press("Escape")
    expect(owner_page.get_by_text("No mobile device is registered.")).to_be_visible()


def test_too_many_wrong_passwords_are_answered_with_the_time_to_wait(owner_page: Page, server: RunningServer) -> None:
    with client_of(server) as client:
        form = {FIELD: token_in(client.get("/settings/account/").text), "password": "not the password"}
        for _ in range(5):
            assert client.post("/settings/account/api-key/", data=form).status_code == 400
    owner_page.goto(f"{server.site}/settings/account/")
    owner_page.locator("#api_key_button").click()
    owner_page.locator("#get_api_key_password").fill("not the password")
    owner_page.locator("#get_api_key_button").click()
    expect(owner_page.locator("#api_key_status")).to_contain_text("Too many attempts. Try again in 30 minutes.")
