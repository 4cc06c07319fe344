"""Named keys on the pages: added, used, changed, regenerated, revoked; with and without scripts, and by whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from httpx2 import Client
from playwright.sync_api import Locator, Page, expect

from keybearer.server.http.csrf import FIELD
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer
from tests.web.organization import MEMBER, Organization
from tests.web.test_api_keys import download, forget_password, status_with
from tests.web.test_sent_forms import sent_again
from tests.web.visitor import clipboard, token_in

KEY = "#named-key"
ACCOUNT = "/settings/account/"


def add_key(page: Page, path: str, name: str) -> str:
    """From a page with keys to a new one, as a person goes."""
    page.goto(path)
    page.get_by_role("link", name="Add a named key").click()
    page.locator("#key_name").fill(name)
    page.get_by_role("button", name="Add named key").click()
    expect(page.locator(KEY)).to_be_visible()
    return page.locator(KEY).text_content() or ""


def row(page: Page, name: str) -> Locator:
    """The row of a key in the table of an account."""
    return page.locator("#named-keys").get_by_role("row").filter(has_text=name)


def test_a_key_is_added_shown_once_and_works(tab: Page, server: RunningServer, tmp_path: Path) -> None:
    key = add_key(tab, f"{server.site}{ACCOUNT}", "Nightly backup")
    assert status_with(server, key) == (200, "")
    expect(row(tab, "Nightly backup").last).to_contain_text("read and send")
    zuliprc = download(tab, tmp_path)
    assert zuliprc.read_text() == f"[api]\nemail={OWNER_EMAIL}\nkey={key}\nsite={server.site}\n"
    tab.goto(f"{server.site}{ACCOUNT}")
    expect(row(tab, "Nightly backup").last).to_be_visible()
    expect(tab.locator("html")).not_to_contain_text(key)


def test_a_regenerated_key_can_leave_the_old_one_for_an_hour(tab: Page, server: RunningServer) -> None:
    old = add_key(tab, f"{server.site}{ACCOUNT}", "Build server")
    row(tab, "Build server").last.get_by_title("Regenerate").click()
    tab.get_by_label("The old key stops").select_option("In 1 hour")
    tab.get_by_role("button", name="Regenerate").click()
    expect(tab.get_by_text("has a new key; the old one works until its overlap ends.")).to_be_visible()
    new = tab.locator(KEY).text_content() or ""
    assert new != old
    assert [status_with(server, key)[0] for key in (old, new)] == [200, 200]
    expect(tab.locator("#named-keys").get_by_text("replaced", exact=True).first).to_be_visible()


def test_a_revoked_key_is_refused_and_gone_from_the_table(tab: Page, server: RunningServer) -> None:
    key = add_key(tab, f"{server.site}{ACCOUNT}", "Lost laptop")
    count = row(tab, "Lost laptop").count()
    row(tab, "Lost laptop").last.get_by_title("Revoke").click()
    tab.get_by_role("button", name="Revoke API key").click()
    expect(tab.get_by_text("The API key was revoked").first).to_be_visible()
    expect(row(tab, "Lost laptop")).to_have_count(count - 1)
    assert status_with(server, key) == (401, "Invalid API key")


def test_a_form_asks_for_the_password_if_it_was_given_too_long_ago(tab: Page, server: RunningServer) -> None:
    tab.goto(f"{server.site}/settings/account/api-keys/add/")
    forget_password(server)
    tab.locator("#key_name").fill("Late")
    tab.get_by_role("button", name="Add named key").click()
    expect(tab.get_by_text("Please enter your password again")).to_be_visible()
    expect(tab.locator("#key_name")).to_have_value("Late")
    tab.get_by_label("Your password").fill("not the password")
    tab.get_by_role("button", name="Add named key").click()
    expect(tab.get_by_text("Password is incorrect.")).to_be_visible()
    tab.get_by_label("Your password").fill(OWNER_PASSWORD)
    tab.get_by_role("button", name="Add named key").click()
    expect(tab.locator(KEY)).to_be_visible()


def test_a_key_has_the_scopes_the_end_and_the_networks_from_the_form(owner_page: Page, server: RunningServer) -> None:
    owner_page.goto(f"{server.site}/settings/account/api-keys/add/")
    owner_page.locator("#key_name").fill("Reader")
    owner_page.get_by_label("Send", exact=True).uncheck()
    owner_page.get_by_label("Ends").select_option("Never")
    expect(owner_page.get_by_label("Last day")).to_be_hidden()
    owner_page.get_by_label("Networks").fill("192.0.2.0/24, 2001:db8::/32 nonsense")
    owner_page.get_by_role("button", name="Add named key").click()
    expect(owner_page.get_by_label("Networks")).to_be_focused()
    owner_page.get_by_label("Networks").fill("192.0.2.0/24, 2001:db8::/32")
    owner_page.get_by_role("button", name="Add named key").click()
    expect(row(owner_page, "Reader")).to_contain_text("read, only from 192.0.2.0/24, 2001:db8::/32")
    expect(row(owner_page, "Reader")).to_contain_text("never")
    owner_page.get_by_role("button", name="Copy API key").click()
    expect(owner_page.get_by_role("button", name="Copied!")).to_be_visible()
    assert status_with(server, clipboard(owner_page)) == (403, "This API key may not be used from this network.")


def test_a_key_is_renamed_and_narrowed_and_stays_the_same_key(tab: Page, server: RunningServer) -> None:
    key = add_key(tab, f"{server.site}{ACCOUNT}", "Nightly")
    row(tab, "Nightly").last.get_by_title("Change").click()
    expect(tab.get_by_label("Manage")).to_have_count(0)
    tab.locator("#key_name").fill("Weekly report")
    tab.get_by_label("Send", exact=True).uncheck()
    tab.get_by_label("Ends").select_option("In 7 days")
    tab.get_by_label("Networks").fill("192.0.2.0/24, 127.0.0.1")
    tab.get_by_role("button", name="Save API key").click()
    expect(tab.get_by_text("The API key was saved.").first).to_be_visible()
    expect(row(tab, "Weekly report")).to_contain_text("read, only from 192.0.2.0/24, 127.0.0.1/32")
    assert status_with(server, key) == (200, "")
    row(tab, "Weekly report").get_by_title("Change").click()
    expect(tab.get_by_label("Networks")).to_have_value("192.0.2.0/24, 127.0.0.1/32")
    tab.get_by_label("Networks").fill("")
    tab.get_by_role("button", name="Save API key").click()
    expect(tab.get_by_label("Networks")).to_be_focused()
    expect(tab.get_by_text("gets no wider networks")).to_be_visible()
    tab.get_by_label("Networks").fill("192.0.2.0/25")
    tab.get_by_role("button", name="Save API key").click()
    expect(row(tab, "Weekly report")).to_contain_text("only from 192.0.2.0/25")
    assert status_with(server, key)[0] == 403
    row(tab, "Weekly report").get_by_title("Revoke").click()
    tab.get_by_role("button", name="Revoke API key").click()
    expect(row(tab, "Weekly report")).to_have_count(0)


def test_a_reload_creates_no_second_named_key(plain_page: Page, server: RunningServer) -> None:
    with sent_again(plain_page):
        add_key(plain_page, f"{server.site}{ACCOUNT}", "Once")
    plain_page.goto(f"{server.site}{ACCOUNT}")
    expect(row(plain_page, "Once")).to_have_count(1)


def test_a_key_of_a_bot_is_created_in_its_panel_and_ended_by_a_new_account_key(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(f"{server.site}/settings/bots/")
    owner_page.get_by_label("Manage bot Build watcher").click()
    panel = owner_page.get_by_role("dialog", name="Build watcher")
    panel.get_by_role("link", name="Add a named key").click()
    owner_page.locator("#key_name").fill("Deploy")
    owner_page.get_by_role("button", name="Add named key").click()
    expect(panel.locator(KEY)).to_be_visible()
    key = panel.locator(KEY).text_content() or ""
    email = organization.bot.delivery_email
    assert status_with(server, key, email) == (200, "")
    panel.get_by_label("Change Deploy").click()
    owner_page.locator("#key_name").fill("Deploy to staging")
    owner_page.get_by_role("button", name="Save API key").click()
    expect(panel.get_by_text("The API key was saved.")).to_be_visible()
    panel.get_by_label("Generate new API key").click()
    expect(owner_page.get_by_text("the named key “Deploy to staging”, last use")).to_be_visible()
    owner_page.get_by_role("button", name="Generate new API key").click()
    expect(panel.get_by_text("This is the bot's new API key")).to_be_visible()
    assert status_with(server, key, email) == (401, "Invalid API key")


def test_the_question_before_a_new_account_key_names_the_keys_that_stop(
    plain_page: Page, server: RunningServer
) -> None:
    add_key(plain_page, f"{server.site}{ACCOUNT}", "Terminal")
    plain_page.goto(f"{server.site}/settings/account/api-key/regenerate/")
    expect(plain_page.get_by_text("the named key “Terminal”, last use: ").first).to_be_visible()


def test_an_administrator_finds_and_revokes_anybodys_key(tab: Page, server: RunningServer, member: Client) -> None:
    page = member.get("/settings/account/api-keys/add/").text
    once = page.split('name="once" value="')[1].split('"')[0]
    form = {FIELD: token_in(page), "once": once, "name": "Telescope", "scope_read": "on", "ends": "7"}
    assert "Telescope" in member.post("/settings/account/api-keys/add/", data=form).text
    tab.goto(f"{server.site}/organization/api-keys/?filter={MEMBER}&kind=ending")
    found = tab.get_by_role("row").filter(has_text="Telescope")
    count = found.count()
    found.last.get_by_title("Revoke").click()
    tab.get_by_role("button", name="Revoke API key").click()
    expect(tab.get_by_text("The API key was revoked").first).to_be_visible()
    tab.goto(f"{server.site}/organization/api-keys/?filter=telescope&kind=named")
    expect(tab.get_by_role("row").filter(has_text="Telescope")).to_have_count(count - 1)


@pytest.mark.parametrize("path", ["api-keys/add/", "hand-over/"])
def test_nobody_can_create_a_key_of_a_bot_that_they_do_not_manage(
    member: Client, organization: Organization, path: str
) -> None:
    page = member.get("/settings/account/api-keys/add/").text
    once = page.split('name="once" value="')[1].split('"')[0]
    form = {FIELD: token_in(page), "once": once, "name": "Mine", "scope_read": "on", "ends": "7"}
    address = f"/settings/bots/{organization.bot.id}/{path}"
    assert [member.get(address).status_code, member.post(address, data=form).status_code] == [403, 403]


def test_a_zuliprc_can_be_downloaded_only_for_a_live_named_key(nobody: Client, server: RunningServer) -> None:
    token = token_in(nobody.get("/login/").text)
    for key in (server.api_key_of(), "kb" + "0" * 30, ""):
        answer = nobody.post("/zuliprc/", data={FIELD: token, "api_key": key})
        assert answer.status_code == 400
        assert key == "" or key not in answer.text
