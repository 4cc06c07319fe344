"""The organization's pages, and what everybody sees and chooses there: people, themes, names."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.server_process import OWNER_EMAIL, RunningServer
from tests.web.looks import show
from tests.web.organization import GUEST, MEMBER, Organization
from tests.web.test_messages import call
from tests.web.visitor import sign_in_directly

BACKGROUND = "getComputedStyle(document.body).backgroundColor"
ADMINISTRATORS_PAGES = (
    "/organization/profile/",
    "/organization/users/",
    "/organization/bots/",
    "/organization/mail/",
    "/organization/policies/",
    "/organization/audit/",
)


@pytest.fixture
def member_page(other_page: Page, server: RunningServer, organization: Organization) -> Page:
    sign_in_directly(other_page.context, server, MEMBER)
    return other_page


def shown_link(page: Page) -> str:
    """The link that a page shows once."""
    expect(page.locator(".secret-link")).to_be_visible()
    return page.locator(".secret-link").text_content() or ""


def test_an_invited_person_joins_by_the_link_that_is_shown_once(
    tab: Page, other_page: Page, server: RunningServer, request: pytest.FixtureRequest
) -> None:
    email = f"nela-{len(request.node.name)}@example.com"
    tab.goto(f"{server.site}/organization/users/")
    tab.get_by_role("link", name="Invite users").click()
    tab.get_by_label("Emails").fill(email)
    tab.get_by_label("Invite as").select_option("Moderator")
    tab.get_by_role("button", name="Invite", exact=True).click()
    link = shown_link(tab)
    tab.get_by_role("link", name="Done").click()
    tab.goto(f"{server.site}/organization/invitations/")
    expect(tab.get_by_role("row", name=email).get_by_text("Moderator")).to_be_visible()
    assert link not in tab.content()

    other_page.goto(link)
    assert other_page.get_by_label("Email").input_value() == email
    assert show(other_page, "join-form") == []
    other_page.get_by_label("Your name").fill("Nela")
    other_page.get_by_label("Password", exact=True).fill("password")
    other_page.get_by_role("button", name="Join").click()
    expect(other_page.get_by_role("alert")).to_contain_text("New password is too weak!")
    other_page.get_by_label("Password", exact=True).fill("nine lanterns by the river")
    other_page.get_by_role("button", name="Join").click()
    other_page.wait_for_url(f"{server.site}/settings/account/")
    expect(other_page.get_by_text("Moderator", exact=True)).to_be_visible()
    other_page.goto(link)
    expect(other_page.get_by_role("heading", name="This invitation is no longer valid")).to_be_visible()


def test_a_withdrawn_invitation_opens_nothing(
    tab: Page, server: RunningServer, organization: Organization, request: pytest.FixtureRequest
) -> None:
    email = f"quido-{len(request.node.name)}@example.com"
    tab.goto(f"{server.site}/organization/invitations/add/")
    tab.get_by_label("Emails").fill(email)
    tab.get_by_role("button", name="Invite", exact=True).click()
    link = shown_link(tab)
    tab.goto(f"{server.site}/organization/invitations/")
    tab.get_by_role("button", name=f"Withdraw the invitation of {email}").click()
    expect(tab.get_by_text("The invitation was withdrawn").first).to_be_visible()
    answer = tab.goto(link)
    assert answer is not None
    assert answer.status == 404


def test_an_invitation_that_cannot_be_sent_says_why(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/organization/invitations/")
    tab.get_by_role("link", name="Invite users").first.click()
    tab.get_by_label("Emails").fill(MEMBER)
    tab.get_by_role("button", name="Invite", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text(f"Nobody was invited. {MEMBER}: already has an account.")


def test_a_user_gets_another_role_and_name(tab: Page, server: RunningServer, organization: Organization) -> None:
    tab.goto(f"{server.site}/organization/users/?filter={GUEST}")
    tab.get_by_title("Manage user").click()
    tab.get_by_label("Name", exact=True).fill("Greta")
    tab.get_by_label("Role", exact=True).select_option("Member")
    tab.get_by_role("button", name="Save changes").click()
    expect(tab.get_by_text("The user was saved.").first).to_be_visible()
    tab.goto(f"{server.site}/organization/users/?filter={GUEST}")
    row = tab.get_by_role("row", name="Greta")
    expect(row.get_by_text("Member", exact=True)).to_be_visible()


def test_a_deactivated_user_is_refused_and_so_are_their_bots_until_reactivated(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    key, bots_email = server.api_key_of(MEMBER), organization.foreign.delivery_email
    bots_key = server.api_key_of(bots_email)
    tab.goto(f"{server.site}/organization/users/?filter={MEMBER}")
    tab.get_by_title("Deactivate user").click()
    tab.get_by_role("button", name="Deactivate user").click()
    expect(tab.get_by_text("The user was deactivated").first).to_be_visible()
    for email, kept in ((MEMBER, key), (bots_email, bots_key)):
        answer = httpx2.get(f"{server.site}/api/v1/users/me", auth=(email, kept))
        assert (answer.status_code, answer.json()["msg"]) == (401, "Account is deactivated")

    tab.goto(f"{server.site}/organization/users/?status=deactivated&filter={MEMBER}")
    tab.get_by_title("Reactivate user").click()
    expect(tab.get_by_text("The user was reactivated").first).to_be_visible()
    tab.goto(f"{server.site}/organization/bots/?status=deactivated&filter=telescope")
    tab.get_by_title("Reactivate bot").click()
    expect(tab.get_by_text("The bot was reactivated").first).to_be_visible()
    for email, kept in ((MEMBER, key), (bots_email, bots_key)):
        answer = httpx2.get(f"{server.site}/api/v1/users/me", auth=(email, kept))
        assert (answer.status_code, answer.json()["msg"]) == (401, "Invalid API key")
        assert httpx2.get(f"{server.site}/api/v1/users/me", auth=(email, server.api_key_of(email))).status_code == 200


def test_the_only_owner_cannot_leave(tab: Page, server: RunningServer) -> None:
    tab.goto(f"{server.site}/settings/account/")
    tab.get_by_role("link", name="Deactivate your account").click()
    tab.get_by_label("Your password", exact=True).fill("correct horse battery staple")
    tab.get_by_role("button", name="Deactivate account").click()
    expect(tab.get_by_role("alert")).to_contain_text("only organization owner")


def test_the_organization_gets_another_name_and_description(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/organization/profile/")
    expect(tab.get_by_text("keybearer admin set-site URL")).to_be_visible()
    expect(tab.locator("main").get_by_text(server.site)).to_be_visible()
    tab.get_by_label("Name", exact=True).fill("Observatory")
    tab.get_by_label("Description").fill("We look at stars.")
    tab.get_by_role("button", name="Save organization").click()
    expect(tab.get_by_text("The organization was saved.").first).to_be_visible()
    expect(tab.get_by_role("banner").get_by_text("Observatory")).to_be_visible()
    tab.goto(f"{server.site}/people/")
    expect(tab.get_by_text("We look at stars.")).to_be_visible()
    tab.goto(f"{server.site}/organization/profile/")
    tab.get_by_label("Name", exact=True).fill("Example")
    tab.get_by_role("button", name="Save organization").click()
    expect(tab.get_by_text("The organization was saved.").first).to_be_visible()


def test_a_policy_decides_who_may_add_bots(
    owner_page: Page, member_page: Page, server: RunningServer, organization: Organization
) -> None:
    def set_policy(value: str) -> None:
        owner_page.goto(f"{server.site}/organization/policies/")
        owner_page.get_by_label("Who may create any bot").select_option(value)
        owner_page.get_by_label("Who may create incoming webhooks").select_option(value)
        owner_page.get_by_role("button", name="Save policies").click()
        expect(owner_page.get_by_text("The policies were saved.").first).to_be_visible()

    set_policy("Administrators and owners")
    member_page.goto(f"{server.site}/settings/bots/")
    expect(
        member_page.get_by_role("row", name="Telescope control").or_(member_page.get_by_text("You have no bots"))
    ).to_be_visible()
    expect(member_page.get_by_role("link", name="Add a new bot")).to_have_count(0)
    member_page.goto(f"{server.site}/settings/bots/add/")
    expect(member_page.get_by_text("Your role can’t add bots")).to_be_visible()
    set_policy("Members and above")
    member_page.goto(f"{server.site}/settings/bots/")
    expect(member_page.get_by_role("link", name="Add a new bot").first).to_be_visible()


def test_the_policy_about_named_keys_says_which_ends_they_may_have(tab: Page, server: RunningServer) -> None:
    def set_policy(longest: str, default: str, *, must_end: bool) -> None:
        tab.goto(f"{server.site}/organization/policies/")
        tab.get_by_label("Longest life in days").fill(longest)
        tab.get_by_label("Default life in days").fill(default)
        tab.get_by_label("Every new key must end").set_checked(must_end)
        tab.get_by_role("button", name="Save policies").click()

    def ends() -> list[str]:
        tab.goto(f"{server.site}/settings/account/api-keys/add/")
        return tab.get_by_label("Ends").locator("option").all_text_contents()

    set_policy("45", "60", must_end=False)
    expect(tab.get_by_text("longer than the longest life")).to_be_visible()
    expect(tab.get_by_label("Default life in days")).to_be_focused()
    expect(tab.get_by_label("Longest life in days")).to_have_value("45")
    set_policy("45", "14", must_end=True)
    expect(tab.get_by_text("The policies were saved.").first).to_be_visible()
    assert ends() == ["In 7 days", "In 14 days", "In 30 days", "On a date"]
    expect(tab.get_by_label("Ends")).to_have_value("14")
    set_policy("", "", must_end=False)
    expect(tab.get_by_text("The policies were saved.").first).to_be_visible()
    assert "Never" in ends()


def test_members_see_nothing_of_the_administrators_pages(member_page: Page, server: RunningServer) -> None:
    member_page.goto(f"{server.site}/settings/account/")
    expect(member_page.get_by_role("link", name="Your bots")).to_be_visible()
    expect(member_page.get_by_role("link", name="Users")).to_have_count(0)
    for path in ADMINISTRATORS_PAGES:
        answer = member_page.goto(f"{server.site}{path}")
        assert answer is not None
        assert answer.status == 403
    assert show(member_page, "not-permitted") == []


@pytest.fixture(params=[MEMBER, GUEST])
def somebody(
    request: pytest.FixtureRequest, other_page: Page, server: RunningServer, organization: Organization
) -> Page:
    sign_in_directly(other_page.context, server, request.param)
    return other_page


def test_everybody_is_listed_and_hidden_addresses_are_not_shown(somebody: Page, server: RunningServer) -> None:
    call(server, OWNER_EMAIL, "PATCH", "settings", email_address_visibility="3")
    somebody.goto(f"{server.site}/settings/account/")
    somebody.get_by_role("link", name="People", exact=True).first.click()
    row = somebody.get_by_role("row", name="Olivia Owner")
    expect(row.get_by_text("hidden")).to_be_visible()
    expect(row.get_by_text("Owner", exact=True)).to_be_visible()
    expect(somebody.get_by_role("row", name="Milan Dvořák")).to_be_visible()
    assert OWNER_EMAIL not in somebody.content()
    somebody.get_by_label("Filter").fill(OWNER_EMAIL)
    expect(somebody.get_by_text("Nobody’s name or email contains")).to_be_visible()


def test_the_list_of_people_leads_to_a_message_to_somebody(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    owner_page.goto(f"{server.site}/people/")
    owner_page.get_by_label("Filter").fill("milan")
    expect(owner_page.get_by_role("row", name="Ada Novotná")).to_have_count(0)
    owner_page.get_by_role("link", name="Write to Milan Dvořák").click()
    owner_page.get_by_label("Message", exact=True).fill("Hello, Milan")
    owner_page.get_by_role("button", name="Send").click()
    expect(owner_page.locator(".message").last).to_contain_text("Hello, Milan")


def choose(page: Page, server: RunningServer, theme: str) -> None:
    page.goto(f"{server.site}/settings/account/")
    page.get_by_role("link", name="Change theme and time zone").click()
    page.get_by_label("Theme").select_option(theme)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Your display settings were saved.").first).to_be_visible()


def test_a_theme_applies_at_once_on_every_page_even_when_signed_out(tab: Page, server: RunningServer) -> None:
    tab.goto(f"{server.site}/settings/account/")
    light = tab.evaluate(BACKGROUND)
    choose(tab, server, "Dark")
    dark = tab.evaluate(BACKGROUND)
    assert dark != light
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()
    assert tab.evaluate(BACKGROUND) == dark


def test_the_theme_can_follow_the_device_again(tab: Page, server: RunningServer) -> None:
    choose(tab, server, "Light")
    tab.emulate_media(color_scheme="dark")
    light = tab.evaluate(BACKGROUND)
    choose(tab, server, "Same as the device")
    assert tab.evaluate(BACKGROUND) != light


@pytest.mark.parametrize("zone", ["Europe/Prague", ""])
def test_a_time_zone_is_stored_with_the_account(
    tab: Page, server: RunningServer, organization: Organization, zone: str
) -> None:
    tab.goto(f"{server.site}/settings/account/display/")
    tab.get_by_label("Time zone").select_option(zone)
    tab.get_by_role("button", name="Save", exact=True).click()
    expect(tab.locator("main").get_by_text(zone or "Not set", exact=True)).to_be_visible()
    assert call(server, OWNER_EMAIL, "GET", "users/me")["timezone"] == zone


def test_privacy_settings_are_stored(tab: Page, server: RunningServer) -> None:
    tab.goto(f"{server.site}/settings/account/")
    tab.get_by_label("Who can see your email").select_option("Administrators and owners")
    tab.get_by_label("Email me when").uncheck()
    tab.get_by_role("button", name="Save privacy settings").click()
    expect(tab.get_by_text("Your privacy settings were saved.").first).to_be_visible()
    tab.reload()
    expect(tab.get_by_label("Email me when")).not_to_be_checked()
    assert OWNER_EMAIL in (tab.locator("main").text_content() or "")


def test_a_new_name_is_shown_everywhere(tab: Page, server: RunningServer) -> None:
    tab.goto(f"{server.site}/settings/account/")
    tab.get_by_role("link", name="Change your name").click()
    tab.get_by_label("Name", exact=True).fill("X")
    tab.get_by_role("button", name="Save", exact=True).last.click()
    tab.get_by_label("Name", exact=True).fill("Olivia Q. Owner")
    tab.get_by_role("button", name="Save", exact=True).last.click()
    expect(tab.get_by_text("Your name was changed.").first).to_be_visible()
    expect(tab.locator("main").get_by_text("Olivia Q. Owner")).to_be_visible()
    expect(tab.get_by_role("banner").get_by_text("Olivia Q. Owner")).to_be_visible()
