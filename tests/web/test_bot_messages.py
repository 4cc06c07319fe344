"""What a bot sent and received: for its owner alone, as the bot sees it, and recorded like a look at its key."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Page, expect

from keybearer.server.domain.limits import MOST_TEXT
from keybearer.server.http.csrf import FIELD
from tests.server_process import RunningServer
from tests.web.organization import ADMINISTRATOR, PASSWORD, Organization
from tests.web.test_messages import call, say, say_much
from tests.web.visitor import client_of, token_in

LOOKED = "looked at what the bot Build watcher sent and received"


@pytest.fixture(scope="module")
def administrator(server: RunningServer, organization: Organization) -> Iterator[httpx2.Client]:
    with client_of(server, ADMINISTRATOR, PASSWORD.reveal()) as client:
        yield client


def look(client: httpx2.Client, bot_id: int, **fields: str) -> httpx2.Response:
    form = {FIELD: token_in(client.get("/settings/account/").text), **fields}
    return client.post(f"/settings/bots/{bot_id}/messages/", data=form)


def count_looks(client: httpx2.Client) -> int:
    """How many looks the security log lists."""
    return client.get("/settings/security-log/?kind=Bots").text.count(LOOKED)


def test_the_owner_sees_what_the_bot_sent_and_received(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/settings/bots/{organization.bot.id}/")
    tab.get_by_role("link", name="What it sent and received").click()
    tab.get_by_role("button", name="Show messages").click()
    expect(tab.get_by_text("how is the build?")).to_be_visible()
    expect(tab.locator(".message").filter(has_text="Release 4.1")).to_be_visible()
    tab.get_by_role("button", name="Received", exact=True).click()
    expect(tab.get_by_text("how is the build?")).to_be_visible()
    expect(tab.locator(".message").filter(has_text="Release 4.1")).to_have_count(0)
    tab.get_by_role("button", name="Sent", exact=True).click()
    expect(tab.locator(".message").filter(has_text="Release 4.1")).to_be_visible()
    expect(tab.get_by_text("how is the build?")).to_have_count(0)
    tab.goto(f"{server.site}/settings/security-log/")
    expect(tab.get_by_text(f"You {LOOKED}.").first).to_be_visible()


def test_each_look_is_recorded_once_and_the_question_is_not(owner: httpx2.Client, organization: Organization) -> None:
    before = count_looks(owner)
    assert "how is the build?" not in owner.get(f"/settings/bots/{organization.bot.id}/messages/").text
    assert count_looks(owner) == before
    assert "how is the build?" in look(owner, organization.bot.id).text
    assert count_looks(owner) == before + 1


def test_an_administrator_who_manages_the_bot_does_not_see_it(
    administrator: httpx2.Client, organization: Organization
) -> None:
    panel = administrator.get(f"/settings/bots/{organization.foreign.id}/")
    assert panel.status_code == 200
    assert "What it sent and received" not in panel.text
    for answer in (
        administrator.get(f"/settings/bots/{organization.foreign.id}/messages/"),
        look(administrator, organization.foreign.id),
    ):
        assert answer.status_code == 403
        assert "Only the owner of a bot can see what it sent and received." in answer.text


def test_messages_that_the_bot_no_longer_sees_are_not_shown(
    server: RunningServer, owner: httpx2.Client, organization: Organization
) -> None:
    mine, bot = organization.owner.delivery_email, organization.bot
    call(
        server, mine, "POST", "users/me/subscriptions",
        subscriptions='[{"name": "vault"}]', invite_only="true", principals=f"[{organization.owner.id}, {bot.id}]",
    )  # fmt: skip
    say(server, bot.delivery_email, "Said in the vault.", channel="vault")
    say(server, mine, "Heard in the vault.", channel="vault")
    shown = look(owner, bot.id).text
    assert "Said in the vault." in shown
    assert "Heard in the vault." in shown
    call(server, mine, "DELETE", f'users/me/subscriptions?subscriptions=["vault"]&principals=[{bot.id}]')
    hidden = look(owner, bot.id).text
    assert "in the vault." not in hidden


def test_messages_that_the_bot_sent_to_channels_it_does_not_follow_are_shown(
    server: RunningServer, owner: httpx2.Client, organization: Organization
) -> None:
    webhook = organization.webhook
    say(server, webhook.delivery_email, "Issue 12 was opened.", topic="issues")
    assert "Issue 12 was opened." in look(owner, webhook.id, part="sent").text
    assert "Issue 12 was opened." in look(owner, webhook.id).text


def test_no_message_is_left_out_if_a_page_of_long_messages_is_cut(
    server: RunningServer, owner: httpx2.Client, organization: Organization
) -> None:
    bot, mine = organization.bot, organization.owner
    long = "x" * (MOST_TEXT // 4)
    say_much(server, mine, ["Before it all."], topic="long", to=bot)
    say_much(server, bot, [f"{number} {long}" for number in range(3)], topic="long")
    first = look(owner, bot.id)
    assert "Before it all." not in first.text
    older = re.search(r'name="before" value="(\d+)"', first.text)
    assert older is not None
    said = len(re.findall(r'<li class="message"', first.text))
    rest = look(owner, bot.id, before=older[1]).text
    assert "Before it all." in rest
    assert said + rest.count(long) == 3


@pytest.mark.soak
def test_older_messages_are_shown_by_another_look(server: RunningServer, tab: Page, organization: Organization) -> None:
    bot = organization.outgoing
    say_much(server, bot, [f"Dish {number}." for number in range(1, 53)], topic="lunch")
    tab.goto(f"{server.site}/settings/bots/{bot.id}/messages/")
    tab.get_by_role("button", name="Show messages").click()
    expect(tab.get_by_text("Dish 52.")).to_be_visible()
    tab.get_by_role("button", name="Older messages").click()
    expect(tab.get_by_text("Dish 2.", exact=True)).to_be_visible()
    tab.get_by_role("button", name="Newest messages").click()
    expect(tab.get_by_text("Dish 52.")).to_be_visible()
