"""Display: the theme of a browser, and the time zone of an account."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.server_process import OWNER_EMAIL, RunningServer
from tests.web.organization import Organization
from tests.web.test_messages import call

BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def choose(page: Page, server: RunningServer, theme: str) -> None:
    page.goto(f"{server.site}/settings/account/")
    page.get_by_role("link", name="Change theme and time zone").click()
    page.get_by_label("Theme").select_option(theme)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Your display settings were saved.").first).to_be_visible()


def test_a_theme_counts_at_once_on_every_page_and_without_signing_in(tab: Page, server: RunningServer) -> None:
    tab.goto(f"{server.site}/settings/account/")
    light = tab.evaluate(BACKGROUND)
    choose(tab, server, "Dark")
    dark = tab.evaluate(BACKGROUND)
    assert dark != light
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
    assert tab.evaluate(BACKGROUND) == dark


def test_the_theme_of_the_device_counts_again(tab: Page, server: RunningServer) -> None:
    choose(tab, server, "Light")
    tab.emulate_media(color_scheme="dark")
    light = tab.evaluate(BACKGROUND)
    choose(tab, server, "As the device is set")
    assert tab.evaluate(BACKGROUND) != light


@pytest.mark.parametrize("zone", ["Europe/Prague", ""])
def test_a_time_zone_is_kept_with_the_account(
    tab: Page, server: RunningServer, organization: Organization, zone: str
) -> None:
    tab.goto(f"{server.site}/settings/account/display/")
    tab.get_by_label("Time zone").select_option(zone)
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator("main").get_by_text(zone or "Not set", exact=True)).to_be_visible()
    assert call(server, OWNER_EMAIL, "GET", "users/me")["timezone"] == zone
