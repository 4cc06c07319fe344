"""Lists with many entries, in a browser: their pages, their search, and choosing from them by a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.named_keys import NewKey
from keybearer.server.services import named_keys
from keybearer.server.services.context import Context
from keybearer.server.services.messaging.sending import Draft, ToPeople, send
from keybearer.server.storage import accounts
from keybearer.server.web.messaging.places import MOST_PEOPLE
from tests.server.crowd import add_crowd
from tests.server_process import RunningServer, running_server
from tests.web.looks import show
from tests.web.organization import Organization, populate

COUNT = 120
ENTRIES = "[data-region] tbody tr"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of its own, since no other test expects so many people."""
    with running_server(tmp_path_factory.mktemp("crowd") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def organization(server: RunningServer) -> Organization:
    populated = populate(server)

    async def crowd(context: Context) -> None:
        key = await named_keys.create(context, Caller(populated.owner), NewKey("Parent"))
        await add_crowd(context, populated.owner, key.record.id, COUNT)
        async with context.reading() as connection:
            people = (await accounts.find_active_ids(connection, populated.owner.realm_id))[: MOST_PEOPLE + 20]
        await send(context, Caller(populated.owner), Draft(ToPeople(tuple(people)), "A word to all of you"))

    server.on_data(crowd)
    return populated


def parent_key_id(organization: Organization) -> int:
    return organization.bot_key.id + 1


STATES = {
    "many-people": "/people/",
    "many-people-second-page": "/people/?after={owner}",
    "many-users": "/organization/users/",
    "many-bots": "/settings/bots/",
    "many-bots-of-all": "/organization/bots/",
    "many-botserverrc": "/settings/bots/botserverrc/",
    "many-invitations": "/organization/invitations/",
    "many-invitations-none-fits": "/organization/invitations/?filter=zebra",
    "many-keys": "/organization/api-keys/",
    "many-audit-matches": "/organization/audit/?who=e",
    "many-recipients": "/messages/new/",
    "many-owners": "/settings/bots/{bot}/",
    "many-ending": "/settings/account/api-keys/{key}/revoke/",
    "many-places": "/messages/",
}
IN_EVERY_RUN = ("many-people-second-page", "many-recipients", "many-invitations")


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each in IN_EVERY_RUN else pytest.mark.soak) for each in STATES]
)
def test_a_page_with_many_entries_has_no_flaw(
    owner_page: Page, server: RunningServer, organization: Organization, name: str
) -> None:
    ids = {"owner": organization.owner.id, "bot": organization.bot.id, "key": parent_key_id(organization)}
    answer = owner_page.goto(server.site + STATES[name].format(**ids))
    assert answer is not None
    assert answer.status == 200
    assert show(owner_page, name) == []


@pytest.mark.soak
@pytest.mark.parametrize("text", ["000", "zebra"])
def test_a_form_that_offers_what_matches_has_no_flaw(
    owner_page: Page, server: RunningServer, organization: Organization, text: str
) -> None:
    owner_page.goto(f"{server.site}/messages/")
    owner_page.get_by_role("link", name="New message").click()
    owner_page.get_by_label("To", exact=True).fill(text)
    owner_page.get_by_label("Message", exact=True).last.fill("Hello")
    owner_page.get_by_role("button", name="Send").last.click()
    expect(owner_page.get_by_role("alert")).to_be_visible()
    assert show(owner_page, f"recipients-that-match-{text}") == []
    owner_page.goto(f"{server.site}/settings/bots/{organization.bot.id}/")
    owner_page.get_by_label("New owner").fill(text)
    owner_page.get_by_role("button", name="Save changes").click()
    expect(owner_page.get_by_role("alert")).to_be_visible()
    assert show(owner_page, f"owners-that-match-{text}") == []


@pytest.mark.parametrize("path", ["/people/", "/organization/users/", "/settings/bots/", "/organization/invitations/"])
def test_the_next_page_has_other_entries_and_the_previous_one_the_same_again(
    tab: Page, server: RunningServer, organization: Organization, path: str
) -> None:
    tab.goto(server.site + path)
    first = tab.locator(ENTRIES).all_inner_texts()
    assert len(first) == 50
    expect(tab.get_by_role("link", name="Previous page")).to_have_count(0)
    tab.get_by_role("link", name="Next page").click()
    expect(tab.get_by_role("link", name="Previous page")).to_be_visible()
    assert not set(first) & set(tab.locator(ENTRIES).all_inner_texts())
    tab.get_by_role("link", name="Previous page").click()
    expect(tab.get_by_role("link", name="Previous page")).to_have_count(0)
    assert tab.locator(ENTRIES).count() == 50


def test_a_search_begins_at_the_first_page(owner_page: Page, server: RunningServer, organization: Organization) -> None:
    owner_page.goto(f"{server.site}/people/")
    owner_page.get_by_role("link", name="Next page").click()
    owner_page.get_by_label("Filter").fill("milan")
    expect(owner_page.locator(ENTRIES)).to_have_count(1)
    expect(owner_page.get_by_role("row", name="Milan Dvořák")).to_be_visible()
    expect(owner_page.get_by_role("link", name="Next page")).to_have_count(0)


def test_somebody_among_many_is_written_to_by_a_part_of_the_name(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/messages/")
    tab.get_by_role("link", name="New message").click()
    tab.get_by_label("To", exact=True).fill("dvo")
    tab.get_by_label("Message", exact=True).last.fill("Hello, Milan")
    tab.get_by_role("button", name="Send").last.click()
    expect(tab.get_by_role("alert")).to_contain_text("Choose which “dvo” you mean.")
    tab.get_by_label("To", exact=True).select_option("Milan Dvořák")
    assert tab.get_by_label("Message", exact=True).last.input_value() == "Hello, Milan"
    tab.get_by_role("button", name="Send").last.click()
    expect(tab.locator(".message").last).to_contain_text("Hello, Milan")


def test_a_channel_among_many_is_written_to_by_its_name(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/messages/new/")
    tab.get_by_label("To", exact=True).fill("#general")
    tab.get_by_label("Topic").fill("lists")
    tab.get_by_label("Message", exact=True).fill("They have pages now")
    tab.get_by_role("button", name="Send").click()
    expect(tab.get_by_role("heading", name="#general › lists")).to_be_visible()


def test_a_conversation_of_many_people_is_read_and_answered(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/messages/")
    tab.get_by_role("navigation", name="Channels and conversations", exact=True).get_by_role(
        "link", name=re.compile(r"and \d+ others$")
    ).click()
    expect(tab.locator(".message").first).to_contain_text("A word to all of you")
    tab.get_by_label("Message", exact=True).fill("An answer to all of you")
    tab.get_by_role("button", name="Send").click()
    expect(tab.locator(".message", has_text="An answer to all of you").last).to_be_visible()


def test_a_bot_gets_another_owner_among_many(tab: Page, server: RunningServer, organization: Organization) -> None:
    path = f"{server.site}/settings/bots/{organization.webhook.id}/"
    owners = ["Ada Novotná", "Milan Dvořák"]
    tab.goto(path)
    now = tab.locator("#new-owner-hint").inner_text()
    wanted = owners[0] if owners[1] in now else owners[1]
    tab.get_by_label("New owner").fill(wanted[:4])
    tab.get_by_role("button", name="Save changes").click()
    expect(tab.get_by_role("alert")).to_contain_text("Choose which")
    tab.get_by_label("Owner", exact=True).select_option(wanted)
    tab.get_by_role("button", name="Save changes").click()
    expect(tab.get_by_text("has a new owner").first).to_be_visible()
    tab.goto(path)
    expect(tab.locator("#new-owner-hint")).to_contain_text(f"Now: {wanted}.")
