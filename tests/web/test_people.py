"""The directory: who is here, for everybody; addresses only for those to whom they are shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.server_process import OWNER_EMAIL, RunningServer
from tests.web import chromium
from tests.web.organization import GUEST, LONG_NAME, MEMBER, Organization
from tests.web.test_messages import call
from tests.web.visitor import let_in


@pytest.fixture(params=[MEMBER, GUEST])
def somebody(
    request: pytest.FixtureRequest, other_profile: BrowserContext, server: RunningServer, organization: Organization
) -> Iterator[Page]:
    with chromium.tab(other_profile) as opened:
        let_in(other_profile, server, request.param)
        yield opened


def test_everybody_is_listed_and_hidden_addresses_are_not_shown(somebody: Page, server: RunningServer) -> None:
    call(server, OWNER_EMAIL, "PATCH", "settings", email_address_visibility="3")
    somebody.goto(f"{server.site}/settings/account/")
    somebody.get_by_role("link", name="People", exact=True).first.click()
    row = somebody.get_by_role("row", name="Olivia Owner")
    expect(row.get_by_text("hidden")).to_be_visible()
    expect(row.get_by_text("Owner", exact=True)).to_be_visible()
    expect(somebody.get_by_role("row", name=LONG_NAME)).to_be_visible()
    assert OWNER_EMAIL not in somebody.content()
    somebody.get_by_label("Filter").fill(OWNER_EMAIL)
    expect(somebody.get_by_text("Nobody’s name or email contains")).to_be_visible()


def test_a_person_is_written_to_from_there(owner_page: Page, server: RunningServer, organization: Organization) -> None:
    owner_page.goto(f"{server.site}/people/")
    owner_page.get_by_label("Filter").fill("milan")
    expect(owner_page.get_by_role("row", name="Ada Novotná")).to_have_count(0)
    owner_page.get_by_role("link", name="Write to Milan Dvořák").click()
    owner_page.get_by_label("Message", exact=True).fill("Hello, Milan")
    owner_page.get_by_role("button", name="Send").click()
    expect(owner_page.locator(".message").last).to_contain_text("Hello, Milan")
