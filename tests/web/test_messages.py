"""The messages page: read, written, changed and followed, with and without scripts. Also what it does not show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.messaging.messages import Flag
from keybearer.server.http.csrf import FIELD
from keybearer.server.services.context import Context
from keybearer.server.storage.messaging import new_messages
from keybearer.server.storage.messaging.new_messages import NewMessage
from tests.server_process import RunningServer
from tests.web import chromium
from tests.web.organization import GUEST, MEMBER, Organization
from tests.web.visitor import sign_in_directly, token_in

BUILDS = "/messages/?channel=1&topic=builds"


@pytest.fixture
def member_page(other_profile: BrowserContext, server: RunningServer, organization: Organization) -> Iterator[Page]:
    with chromium.tab(other_profile) as opened:
        sign_in_directly(other_profile, server, MEMBER)
        yield opened


def call(server: RunningServer, email: str, method: str, path: str, **fields: str) -> dict[str, object]:
    """The wire's answer to an account with its key."""
    auth = (email, server.api_key_of(email))
    answer = httpx2.request(method, f"{server.site}/api/v1/{path}", auth=auth, data=fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def say(server: RunningServer, email: str, text: str, topic: str = "builds", channel: str = "general") -> int:
    """Have an account send a message to a channel, by the wire."""
    number = call(server, email, "POST", "messages", type="channel", to=channel, topic=topic, content=text)["id"]
    assert isinstance(number, int)
    return number


def say_much(
    server: RunningServer, sender: Account, texts: Sequence[str], topic: str, *, to: Account | None = None
) -> None:
    """Send many or long messages of an account to the first channel, all at once. `to` has copies of them."""

    async def write(context: Context) -> None:
        async with context.change(None) as change:
            for text in texts:
                new = NewMessage(
                    realm_id=sender.realm_id, sender_id=sender.id, content=text, rendered=f"<p>{text}</p>",
                    sent_at=change.now, client="test", channel_id=1, topic=topic,
                )  # fmt: skip
                await new_messages.add(change.connection, new, {} if to is None else {to.id: Flag(0)})

    server.on_data(write)


def test_a_message_is_written_and_appears_below_the_others(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/messages/")
    places = tab.locator(".places")
    places.get_by_role("link", name="general").click()
    places.get_by_role("link", name="builds").click()
    expect(tab.get_by_role("heading", name="#general › builds")).to_be_visible()
    tab.get_by_label("Message", exact=True).fill("Is **this** it?")
    tab.get_by_role("button", name="Send").click()
    last = tab.locator(".message").last
    expect(last).to_contain_text("Is this it?")
    expect(last.locator("strong").filter(has_text="this")).to_be_visible()


@pytest.mark.parametrize("topic", ["two words", "a+b", "50% of #1", "ü & ý"])
def test_a_message_goes_to_the_topic_of_the_page(
    tab: Page, server: RunningServer, organization: Organization, topic: str
) -> None:
    tab.goto(f"{server.site}/messages/?{urlencode({'channel': 1, 'topic': topic})}")
    for text in ("one", "two"):
        tab.get_by_label("Message", exact=True).fill(f"{text} about {topic}")
        tab.get_by_role("button", name="Send").click()
        expect(tab.locator(".message").last).to_contain_text(f"{text} about {topic}")
        expect(tab.get_by_role("heading", name=f"#general › {topic}")).to_be_visible()
    assert [message.inner_text().count("about") for message in tab.locator(".message").all()] == [1, 1]


def test_words_that_are_typed_while_a_message_is_sent_stay(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(server.site + BUILDS)
    draft = owner_page.get_by_label("Message", exact=True)
    draft.fill("the first")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route) if route.request.method == "POST" else route.continue_()

    owner_page.route(re.compile("/messages/"), hold)
    owner_page.get_by_role("button", name="Send").click()
    draft.press_sequentially(" and more")
    (sending,) = held
    sending.continue_()
    owner_page.unroute_all()
    expect(owner_page.locator(".message").last).to_contain_text("the first")
    expect(draft).to_have_value(" and more")


def test_older_messages_follow_the_last_ones_that_are_shown(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    say_much(server, organization.owner, [f"Line {number}." for number in range(1, 56)], topic="growing")
    owner_page.goto(f"{server.site}/messages/?channel=1&topic=growing")
    expect(owner_page.get_by_text("Live", exact=True)).to_be_visible()
    for number in (56, 57):
        say(server, organization.bot.delivery_email, f"Line {number}.", topic="growing")
        expect(owner_page.locator(".message").last).to_contain_text(f"Line {number}.")
    first = int(re.findall(r"Line (\d+)", owner_page.locator(".message").first.inner_text())[0])
    owner_page.get_by_role("link", name="Older messages").click()
    expect(owner_page.locator(".message").last).to_contain_text(f"Line {first - 1}.")


def test_a_message_to_somebody_begins_a_conversation(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/messages/")
    tab.get_by_role("link", name="New message").click()
    tab.get_by_label("To", exact=True).select_option("Ada Novotná")
    tab.get_by_label("Message", exact=True).last.fill("Good morning, Ada")
    tab.get_by_role("button", name="Send").last.click()
    expect(tab.get_by_role("heading", name="Ada Novotná")).to_be_visible()
    expect(tab.locator(".message").last).to_contain_text("Good morning, Ada")
    expect(tab.locator(".places").get_by_role("link", name="Ada Novotná")).to_be_visible()


def test_people_can_edit_their_own_message(tab: Page, server: RunningServer, organization: Organization) -> None:
    tab.goto(server.site + BUILDS)
    say(server, organization.owner.delivery_email, "A mistak")
    tab.goto(server.site + BUILDS)
    tab.locator(".message").last.get_by_role("link", name="Edit message").click()
    tab.locator("#edited").fill("A mistake, fixed")
    tab.get_by_role("button", name="Save").click()
    expect(tab.locator(".message").last).to_contain_text("A mistake, fixed")
    expect(tab.locator(".message").last).to_contain_text("edited")


def test_a_reaction_is_added_and_removed(tab: Page, server: RunningServer, organization: Organization) -> None:
    say(server, organization.bot.delivery_email, "Green.")
    tab.goto(server.site + BUILDS)
    last = tab.locator(".message").last
    last.locator("summary").click()
    last.get_by_label("Another emoji").fill("rocket")
    last.get_by_role("button", name="Add", exact=True).click()
    chip = last.locator(".reactions").get_by_role("button", name="rocket, 1: Olivia Owner")
    expect(chip).to_have_attribute("aria-pressed", "true")
    chip.click()
    expect(chip).to_have_count(0)


def test_new_messages_appear_by_themselves_and_a_draft_stays(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    bot = organization.bot.delivery_email
    first = say(server, bot, "Build 1 began.")
    owner_page.goto(server.site + BUILDS)
    expect(owner_page.get_by_text("Live", exact=True)).to_be_visible()
    draft = owner_page.get_by_label("Message", exact=True)
    draft.fill("half a sent")

    say(server, bot, "Build 1 passed.")
    expect(owner_page.locator(".message").last).to_contain_text("Build 1 passed.")
    call(server, bot, "PATCH", f"messages/{first}", content="Build 1 began late.")
    expect(owner_page.locator(f"#message-{first}")).to_contain_text("Build 1 began late.")
    call(server, MEMBER, "POST", f"messages/{first}/reactions", emoji_name="eyes")
    expect(owner_page.locator(f"#message-{first}").get_by_role("button", name="eyes, 1")).to_be_visible()
    call(server, bot, "DELETE", f"messages/{first}")
    expect(owner_page.locator(f"#message-{first}")).to_have_count(0)
    say(server, bot, "Elsewhere.", topic="a new topic")
    expect(owner_page.locator(".places").get_by_role("link", name="a new topic")).to_be_visible()
    expect(owner_page.locator(".message").filter(has_text="Elsewhere.")).to_have_count(0)
    expect(draft).to_have_value("half a sent")


@pytest.mark.soak
def test_a_lost_connection_is_reported_and_restored(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(server.site + BUILDS)
    expect(owner_page.get_by_text("Live", exact=True)).to_be_visible()
    owner_page.context.set_offline(True)
    expect(owner_page.get_by_text("The connection is lost.")).to_be_visible()
    say(server, organization.bot.delivery_email, "Said meanwhile.")
    owner_page.context.set_offline(False)
    expect(owner_page.locator(".message").last).to_contain_text("Said meanwhile.")
    expect(owner_page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_message_can_be_written_with_the_keyboard_alone(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(server.site + BUILDS)
    owner_page.get_by_label("Message", exact=True).focus()
    owner_page.keyboard.type("No mouse here")
    owner_page.keyboard.press("Control+Enter")
    last = owner_page.locator(".message").last
    expect(last).to_contain_text("No mouse here")
    expect(owner_page.get_by_label("Message", exact=True)).to_be_focused()
    expect(owner_page.get_by_label("Message", exact=True)).to_have_value("")
    last.locator("summary").focus()
    owner_page.keyboard.press("Enter")
    owner_page.keyboard.press("Tab")
    owner_page.keyboard.press("Escape")
    expect(last.locator("summary")).to_be_focused()
    owner_page.keyboard.press("Enter")
    owner_page.keyboard.press("Tab")
    owner_page.keyboard.press("Enter")
    expect(last.get_by_role("button", name="+1, 1: Olivia Owner")).to_be_visible()


def test_a_file_is_attached_and_served_as_a_file(
    owner_page: Page, member_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(server.site + BUILDS)
    page_file = b"<script>document.title = 'ran'</script>"
    owner_page.locator("[data-attachment]").set_input_files(
        {"name": "report [1].html", "mimeType": "text/html", "buffer": page_file}
    )
    expect(owner_page.get_by_label("Message", exact=True)).to_have_value(re.compile(r"\[report 1\.html\]\(/user_uplo"))
    owner_page.get_by_role("button", name="Send").click()
    member_page.goto(server.site + BUILDS)
    link = member_page.locator(".message").last.get_by_role("link", name="report 1.html")
    address = link.get_attribute("href")
    answer = member_page.request.get(f"{server.site}{address}")
    assert answer.body() == page_file
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"].startswith("sandbox")


def test_a_refused_file_is_reported_and_leaves_the_draft(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(server.site + BUILDS)
    owner_page.get_by_label("Message", exact=True).fill("See ")
    owner_page.locator("[data-attachment]").set_input_files({"name": "", "mimeType": "text/plain", "buffer": b""})
    expect(owner_page.get_by_role("alert")).to_contain_text("was not attached.")
    expect(owner_page.get_by_label("Message", exact=True)).to_have_value("See ")


def test_no_message_makes_the_browser_ask_another_site(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    say(
        server,
        organization.bot.delivery_email,
        "![a picture](https://tracker.example/p.png) [l](javascript:alert(1)) :tada:",
    )
    asked: list[str] = []
    owner_page.on("request", lambda request: asked.append(request.url))
    owner_page.goto(server.site + BUILDS)
    last = owner_page.locator(".message").last
    expect(last.get_by_role("link", name="a picture")).to_have_attribute("href", "https://tracker.example/p.png")
    expect(last.get_by_role("img", name="tada")).to_have_text("🎉")
    assert last.locator(".message-content img").count() == 0
    assert [url for url in asked if not url.startswith(server.site)] == []


def test_pages_lead_to_older_messages_and_back_to_the_newest(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    say_much(server, organization.owner, [f"Line {number}." for number in range(1, 53)], topic="long")
    tab.goto(f"{server.site}/messages/?channel=1&topic=long")
    expect(tab.get_by_text("Line 52.")).to_be_visible()
    expect(tab.get_by_text("Line 2.", exact=True)).to_have_count(0)
    tab.get_by_role("link", name="Older messages").click()
    expect(tab.get_by_text("Line 2.", exact=True)).to_be_visible()
    expect(tab.get_by_text("Line 52.")).to_have_count(0)
    tab.get_by_role("link", name="Newer messages").click()
    expect(tab.get_by_text("Line 52.")).to_be_visible()


def test_others_do_not_see_a_private_channel(
    owner_page: Page, member_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner = organization.owner.delivery_email
    call(
        server, owner, "POST", "users/me/subscriptions",
        subscriptions='[{"name": "board"}]', invite_only="true",
    )  # fmt: skip
    say(server, owner, "Between us.", channel="board", topic="budget")
    owner_page.goto(f"{server.site}/messages/")
    owner_page.locator(".places").get_by_role("link", name="board").click()
    expect(owner_page.get_by_text("Between us.")).to_be_visible()
    path = owner_page.evaluate("location.pathname + location.search")
    member_page.goto(f"{server.site}/messages/")
    expect(member_page.locator(".places").get_by_role("link", name="general")).to_be_visible()
    expect(member_page.locator(".places").get_by_role("link", name="board")).to_have_count(0)
    answer = member_page.goto(server.site + path)
    assert answer is not None
    assert answer.status == 404
    expect(member_page.get_by_text("There is no such channel or conversation")).to_be_visible()


def test_a_guest_sees_only_followed_channels(
    member_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner = organization.owner.delivery_email
    call(server, owner, "POST", "users/me/subscriptions", subscriptions='[{"name": "for members"}]')
    sign_in_directly(member_page.context, server, GUEST)
    member_page.goto(f"{server.site}/messages/")
    expect(member_page.get_by_role("heading", name="Messages", exact=True)).to_be_visible()
    expect(member_page.locator(".places").get_by_role("link", name="for members")).to_have_count(0)


def test_the_page_says_if_the_visitor_may_not_write(
    member_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner = organization.owner.delivery_email
    call(server, owner, "POST", "users/me/subscriptions", subscriptions='[{"name": "news"}]')
    found = call(server, owner, "GET", "get_stream_id?stream=news")["stream_id"]
    call(server, owner, "PATCH", f"streams/{found}", stream_post_policy="2")
    member_page.goto(f"{server.site}/messages/?channel={found}")
    expect(member_page.get_by_text("You do not have permission to post in this channel.")).to_be_visible()
    expect(member_page.get_by_role("button", name="Send")).to_have_count(0)


def test_a_refused_message_stays_in_the_form_with_the_reason(owner: httpx2.Client, organization: Organization) -> None:
    form = {FIELD: token_in(owner.get("/messages/").text), "to": "channel:1", "topic": "\x07 bell", "content": "kept"}
    answer = owner.post("/messages/", data=form)
    assert answer.status_code == 400
    assert "Invalid character in topic" in answer.text
    assert ">kept</textarea>" in answer.text


@pytest.mark.parametrize("query", ["channel=x", "channel=999999", "with=1,x", "with=999999", "channel=1234567890"])
def test_a_url_of_no_place_shows_a_page_that_says_so(
    owner: httpx2.Client, organization: Organization, query: str
) -> None:
    answer = owner.get(f"/messages/?{query}")
    assert answer.status_code == 404
    assert ">Back to the messages</a>" in answer.text
