"""Bots: added, found, managed; their keys copied, downloaded, used and replaced; with and without scripts."""

from __future__ import annotations

import itertools
import json
import shlex
import subprocess
from configparser import ConfigParser
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from keybearer.server.http.csrf import FIELD
from tests.server_process import OWNER_PASSWORD, RunningServer, run_keybearer
from tests.web.organization import ADMINISTRATOR, LONG_NAME, MEMBER, Organization
from tests.web.test_api_keys import forget_password
from tests.web.visitor import clipboard, sign_in_directly, token_in

KEY = "#bot-api-key"

numbers = itertools.count(1)
"""Names that were not used yet."""


def status_with(server: RunningServer, key: str, email: str) -> int:
    """The status with which the wire answers to a key."""
    return httpx2.get(f"{server.site}/api/v1/users/me", auth=(email, key)).status_code


def add_bot(page: Page, server: RunningServer, name: str, short_name: str, bot_type: str = "Generic bot") -> str:
    """Add a bot, as a person does. Returns its email."""
    page.goto(f"{server.site}/settings/bots/")
    page.get_by_role("link", name="Add a new bot").first.click()
    page.get_by_label("Bot type").select_option(bot_type)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Bot email").fill(short_name)
    if bot_type == "Outgoing webhook":
        page.get_by_label("Endpoint URL").fill("https://hooks.example.com/here")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("The bot was added.").first).to_be_visible()
    return f"{short_name}-bot@keybearer.localhost"


def open_panel(page: Page, server: RunningServer, name: str) -> str:
    """From the table into the panel, to the key."""
    page.goto(f"{server.site}/settings/bots/")
    page.get_by_role("row", name=name).get_by_title("Manage bot").click()
    page.get_by_role("button", name="Show API key").click()
    expect(page.locator(KEY)).to_be_visible()
    return page.locator(KEY).text_content() or ""


def download(page: Page, directory: Path) -> Path:
    """Press the download icon, and save the file."""
    panel = page.get_by_role("dialog").or_(page.locator("main"))
    with page.expect_download() as started:
        panel.get_by_role("button", name="Download zuliprc", exact=True).last.click()
    assert started.value.suggested_filename == "zuliprc"
    path = directory / "zuliprc"
    started.value.save_as(path)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("bot_type", ["Generic bot", "Incoming webhook", "Outgoing webhook"])
def test_a_bot_of_each_type_is_added_and_shown_in_the_table(tab: Page, server: RunningServer, bot_type: str) -> None:
    kind = bot_type.split(maxsplit=1)[0].lower()
    number = next(numbers)
    name = f"The {kind} {number}"
    add_bot(tab, server, name, f"{kind}-{number}", bot_type)
    row = tab.get_by_role("row", name=name)
    expect(row.get_by_text(bot_type)).to_be_visible()
    expect(row.get_by_text("Never")).to_be_visible()


def test_a_bots_key_and_file_work_until_a_new_key_is_generated(
    tab: Page, server: RunningServer, tmp_path: Path
) -> None:
    number = next(numbers)
    name = f"Journey {number}"
    email = add_bot(tab, server, name, f"journey-{number}")
    old = open_panel(tab, server, name)
    assert status_with(server, old, email) == 200
    expect(
        tab.get_by_text("Anyone with a bot's API key can impersonate the bot, so be careful with it.")
    ).to_be_visible()

    zuliprc = download(tab, tmp_path)
    assert zuliprc.read_bytes().decode() == f"[api]\nemail={email}\nkey={old}\nsite={server.site}\n"
    assert json.loads(run_keybearer("whoami", "--json", "--config-file", zuliprc).stdout)["email"] == email

    tab.get_by_role("link", name="Generate new API key").click()
    expect(tab.get_by_role("heading", name="Generate a new API key?")).to_be_visible()
    assert status_with(server, old, email) == 200
    tab.get_by_role("button", name="Generate new API key").click()
    expect(tab.get_by_text("This is the bot's new API key")).to_be_visible()
    new = tab.locator(KEY).text_content() or ""
    assert status_with(server, old, email) == 401
    assert status_with(server, new, email) == 200
    assert f"key={new}\n" in download(tab, tmp_path).read_text()


def test_a_new_key_stays_visible_if_the_panel_was_opened_directly(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/settings/bots/{organization.webhook.id}/")
    tab.get_by_role("button", name="Show API key").click()
    old = tab.locator(KEY).text_content() or ""
    tab.get_by_role("link", name="Generate new API key").click()
    tab.get_by_role("button", name="Generate new API key").click()
    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(tab.get_by_text("This is the bot's new API key")).to_be_visible()
    expect(tab.locator(KEY)).not_to_have_text(old)


def test_deactivating_refuses_the_key_and_reactivating_gives_a_new_one(tab: Page, server: RunningServer) -> None:
    number = next(numbers)
    name = f"Sleeper {number}"
    email = add_bot(tab, server, name, f"sleeper-{number}")
    old = open_panel(tab, server, name)
    tab.get_by_role("link", name="Deactivate bot", exact=True).click()
    tab.get_by_role("button", name="Deactivate bot").click()
    expect(tab.get_by_text("The bot was deactivated.").first).to_be_visible()
    expect(tab.get_by_role("row", name=name)).to_have_count(0)
    assert status_with(server, old, email) == 401

    tab.goto(f"{server.site}/settings/bots/?status=deactivated")
    forget_password(server)
    tab.get_by_role("row", name=name).get_by_title("Reactivate bot").click()
    tab.get_by_label("Your password").fill(OWNER_PASSWORD)
    tab.get_by_role("button", name=f"Reactivate {name}").click()
    expect(tab.get_by_text("The bot was reactivated").first).to_be_visible()
    new = open_panel(tab, server, name)
    assert new != old
    assert status_with(server, old, email) == 401
    assert status_with(server, new, email) == 200


def test_a_bot_is_renamed_and_handed_over(tab: Page, server: RunningServer, organization: Organization) -> None:
    number = next(numbers)
    name = f"Wanderer {number}"
    email = add_bot(tab, server, name, f"wanderer-{number}")
    old = open_panel(tab, server, name)
    tab.get_by_label("Name", exact=True).fill(f"{name} the Second")
    tab.get_by_label("Owner", exact=True).select_option("Milan Dvořák")
    tab.get_by_role("button", name="Save changes").click()
    expect(tab.get_by_text("The bot has a new owner, and a new API key").first).to_be_visible()
    expect(tab.get_by_role("row", name=name)).to_have_count(0)
    assert status_with(server, old, email) == 401
    tab.goto(f"{server.site}/organization/bots/")
    expect(tab.get_by_role("row", name=f"{name} the Second").get_by_text("Milan Dvořák")).to_be_visible()


def test_the_form_of_a_refused_bot_says_why_and_keeps_its_values(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/settings/bots/")
    tab.get_by_role("link", name="Add a new bot").first.click()
    tab.get_by_label("Name", exact=True).fill("Build watcher")
    tab.get_by_label("Bot email").fill("builds-again")
    tab.get_by_role("button", name="Add", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("Name is already in use.")
    assert tab.get_by_label("Bot email").input_value() == "builds-again"


def test_the_filter_finds_by_name_and_by_email(tab: Page, server: RunningServer, organization: Organization) -> None:
    tab.goto(f"{server.site}/settings/bots/")
    tab.get_by_label("Filter").fill("issues-bot")
    tab.get_by_label("Filter").press("Enter")
    expect(tab.get_by_role("row", name="Issue tracker")).to_be_visible()
    expect(tab.get_by_role("row", name="Build watcher")).to_have_count(0)


def test_columns_sort_both_ways(tab: Page, server: RunningServer, organization: Organization) -> None:
    tab.goto(f"{server.site}/settings/bots/?filter=keybearer.localhost")
    for order in ("ascending", "descending"):
        tab.get_by_role("columnheader", name="Email").get_by_role("link").click()
        expect(tab.get_by_role("columnheader", name="Email")).to_have_attribute("aria-sort", order)
        shown = [text.strip() for text in tab.locator("td[data-label=Email]").all_text_contents()]
        assert shown == sorted(shown, reverse=order == "descending")


def test_the_copied_zuliprc_is_the_exact_file(
    owner_page: Page, server: RunningServer, organization: Organization, tmp_path: Path
) -> None:
    open_panel(owner_page, server, "Lunch oracle")
    owner_page.get_by_role("button", name="Copy zuliprc").click()
    expect(owner_page.get_by_role("button", name="Copied!")).to_be_visible()
    copied = clipboard(owner_page)
    assert copied.encode() == download(owner_page, tmp_path).read_bytes()
    token = owner_page.locator("#bot-token").text_content()
    assert copied.endswith(f"\ntoken={token}\n")


def test_the_copied_command_of_a_webhook_posts_a_message_of_its_bot(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(f"{server.site}/settings/bots/")
    owner_page.get_by_role("link", name="Manage bot Issue tracker").click()
    owner_page.get_by_role("button", name="Copy command").click()
    expect(owner_page.get_by_role("button", name="Copied!")).to_be_visible()
    curl, *arguments = shlex.split(clipboard(owner_page).replace("stream=general&", ""))
    done = subprocess.run([curl, "-s", *arguments], capture_output=True, text=True, check=True, timeout=20)
    assert json.loads(done.stdout)["ok"] is True


def test_the_copy_icon_copies_the_key(owner_page: Page, server: RunningServer, organization: Organization) -> None:
    key = open_panel(owner_page, server, "Build watcher")
    owner_page.get_by_role("button", name="Copy API key").click()
    expect(owner_page.get_by_role("button", name="Copied!")).to_be_visible()
    assert clipboard(owner_page) == key


def test_closing_the_panel_removes_the_key_from_the_page_and_leads_back(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    key = open_panel(owner_page, server, "Build watcher")
    assert key in (owner_page.locator("html").text_content() or "")
    owner_page.keyboard.press("Escape")
    expect(owner_page.get_by_role("dialog")).to_have_count(0)
    expect(owner_page.locator("html")).not_to_contain_text(key)
    expect(owner_page.get_by_role("link", name="Manage bot Build watcher")).to_be_focused()


def test_a_bots_key_is_hidden_until_it_is_requested_and_only_looks_are_logged(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    def count_looks() -> int:
        with owner_page.context.new_page() as log:
            log.goto(f"{server.site}/settings/security-log/?kind=API+keys")
            return log.get_by_text("You looked at the API key of Lunch oracle.").count()

    before = count_looks()
    owner_page.goto(f"{server.site}/settings/bots/")
    owner_page.get_by_role("link", name="Manage bot Lunch oracle").click()
    expect(owner_page.get_by_role("button", name="Show API key")).to_be_visible()
    assert count_looks() == before
    owner_page.get_by_role("button", name="Copy API key").click()
    expect(owner_page.get_by_role("button", name="Copied!")).to_be_visible()
    assert clipboard(owner_page) == owner_page.locator(KEY).text_content()
    assert count_looks() == before + 1


def press_tab_until(page: Page, name: str) -> None:
    """Press Tab until the focused element has this name."""
    for _ in range(20):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(at => at.getAttribute('aria-label') ?? at.textContent.trim())(document.activeElement)"
        )
        if focused == name:
            return
    raise AssertionError(f"the keyboard does not come to {name}")


def test_a_bot_can_be_managed_with_the_keyboard_alone(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(f"{server.site}/settings/bots/")
    owner_page.get_by_role("link", name="Manage bot Issue tracker").focus()
    owner_page.keyboard.press("Enter")
    expect(owner_page.get_by_role("button", name="Show API key")).to_be_visible()
    press_tab_until(owner_page, "Show API key")
    owner_page.keyboard.press("Enter")
    expect(owner_page.locator(KEY)).to_be_visible()
    old = owner_page.locator(KEY).text_content()
    press_tab_until(owner_page, "Generate new API key")
    owner_page.keyboard.press("Enter")
    question = owner_page.get_by_role("dialog", name="Generate a new API key?")
    expect(question.get_by_role("link", name="Cancel")).to_be_focused()
    owner_page.keyboard.press("Tab")
    owner_page.keyboard.press("Enter")
    expect(owner_page.locator(KEY)).not_to_have_text(old or "")
    owner_page.keyboard.press("Escape")
    expect(owner_page.get_by_role("dialog")).to_have_count(0)
    expect(owner_page.get_by_role("link", name="Manage bot Issue tracker")).to_be_focused()


def test_a_tooltip_names_an_icon_for_the_keyboard_too(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(f"{server.site}/settings/bots/")
    owner_page.get_by_role("link", name="Add a new bot").focus()
    owner_page.get_by_role("link", name="Manage bot Issue tracker").focus()
    expect(owner_page.locator(".tooltip")).to_have_text("Manage bot")
    owner_page.keyboard.press("Escape")
    expect(owner_page.locator(".tooltip")).to_have_count(0)


def test_a_member_manages_only_their_own_bots(page: Page, server: RunningServer, organization: Organization) -> None:
    sign_in_directly(page.context, server, MEMBER)
    page.goto(f"{server.site}/settings/bots/")
    expect(page.get_by_role("row", name="Telescope control")).to_be_visible()
    answer = page.goto(f"{server.site}/settings/bots/{organization.bot.id}/")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text("You don’t have permission to do this")).to_be_visible()


def test_a_bot_above_ones_own_role_cannot_be_managed(
    owner_page: Page, other_page: Page, server: RunningServer, organization: Organization
) -> None:
    open_panel(owner_page, server, "Issue tracker")
    owner_page.get_by_label("Role", exact=True).select_option("Owner")
    owner_page.get_by_role("button", name="Save changes").click()
    expect(owner_page.get_by_text("The bot was saved.").first).to_be_visible()
    sign_in_directly(other_page.context, server, ADMINISTRATOR)
    other_page.goto(f"{server.site}/organization/bots/")
    expect(other_page.get_by_role("row", name="Lunch oracle")).to_be_visible()
    expect(other_page.get_by_role("row", name="Issue tracker")).to_have_count(0)


def test_a_very_long_name_does_not_break_its_row(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.set_viewport_size({"width": 360, "height": 740})
    owner_page.goto(f"{server.site}/settings/bots/")
    expect(owner_page.get_by_text(LONG_NAME[::-1].title())).to_be_visible()
    assert owner_page.evaluate("document.documentElement.scrollWidth") <= 360


def test_several_bots_can_be_downloaded_in_one_file_with_a_section_each(
    tab: Page, server: RunningServer, organization: Organization, tmp_path: Path
) -> None:
    tab.goto(f"{server.site}/settings/bots/")
    tab.get_by_role("link", name="Download botserverrc").click()
    for name in ("Build watcher", "Lunch oracle"):
        tab.get_by_role("checkbox", name=name).check()
    with tab.expect_download() as started:
        tab.get_by_role("button", name="Download botserverrc").click()
    assert started.value.suggested_filename == "botserverrc"
    path = tmp_path / "botserverrc"
    started.value.save_as(path)
    found = ConfigParser(interpolation=None)
    found.read(path)
    assert set(found.sections()) == {"builds", "lunch"}
    for section, bot in (("builds", organization.bot), ("lunch", organization.outgoing)):
        assert found[section]["email"] == bot.delivery_email
        assert found[section]["key"] == server.api_key_of(bot.delivery_email)
        assert found[section]["site"] == server.site
    assert set(found["lunch"]) == {"email", "key", "site", "token"}
    tab.goto(f"{server.site}/settings/security-log/")
    expect(tab.get_by_text("You downloaded the zuliprc of Lunch oracle.").first).to_be_visible()


def test_nobody_can_download_the_bots_of_somebody_else(owner: httpx2.Client, organization: Organization) -> None:
    form = {FIELD: token_in(owner.get("/settings/bots/").text), f"bot_{organization.foreign.id}": "on"}
    answer = owner.post("/settings/bots/botserverrc/", data=form)
    assert answer.status_code == 400
    assert "not an active bot of yours" in answer.text
