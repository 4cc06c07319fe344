"""Every page of the site in every state: how a person gets there from the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx2
from playwright.sync_api import Page, expect

from tests.server_process import OWNER_PASSWORD
from tests.web.organization import Organization


@dataclass(frozen=True)
class Stage:
    """A tab, and where it can go."""

    page: Page
    site: str
    organization: Organization

    def go(self, path: str) -> None:
        """Open a page of the site."""
        self.page.goto(f"{self.site}{path}")

    def open_dialog(self, path: str, name: str) -> None:
        """Open a page and, on it, the dialog of a link or icon."""
        self.go(path)
        self.page.get_by_role("link", name=name, exact=True).first.click()
        expect(self.page.get_by_role("dialog")).to_be_visible()


Steps = Callable[[Stage], None]


def at(path: str) -> Steps:
    """A page as it is."""
    return lambda stage: stage.go(path)


def dialog(path: str, name: str) -> Steps:
    """A dialog as it opens."""
    return lambda stage: stage.open_dialog(path, name)


def _login_failed(stage: Stage) -> None:
    stage.go("/login/")
    stage.page.get_by_label("Email").fill("nobody@example.com")
    stage.page.get_by_label("Password", exact=True).fill("not the password")
    stage.page.get_by_role("button", name="Sign in").click()
    expect(stage.page.get_by_role("alert")).to_be_visible()


def _password_wrong(stage: Stage) -> None:
    stage.open_dialog("/settings/account/", "Manage your API key")
    stage.page.get_by_label("Password", exact=True).fill("not the password")
    stage.page.get_by_role("button", name="Get API key").click()
    expect(stage.page.get_by_role("alert")).to_be_visible()


def _own_key(stage: Stage) -> None:
    stage.open_dialog("/settings/account/", "Manage your API key")
    stage.page.get_by_label("Password", exact=True).fill(OWNER_PASSWORD)
    stage.page.get_by_role("button", name="Get API key").click()
    expect(stage.page.locator("#api_key_value")).to_be_visible()


def _own_key_copied(stage: Stage) -> None:
    _own_key(stage)
    stage.page.get_by_role("button", name="Copy API key").click()
    expect(stage.page.get_by_role("button", name="Copied!")).to_be_visible()


def _own_key_question(stage: Stage) -> None:
    _own_key(stage)
    stage.page.get_by_role("link", name="Generate new API key").click()
    expect(stage.page.get_by_role("dialog")).to_have_count(2)


def _own_key_new(stage: Stage) -> None:
    _own_key_question(stage)
    stage.page.get_by_role("button", name="Generate new API key").click()
    expect(stage.page.get_by_text("This is your new API key")).to_be_visible()


def _panel(stage: Stage, name: str) -> None:
    stage.open_dialog("/settings/bots/", f"Manage bot {name}")
    expect(stage.page.get_by_role("button", name="Show API key")).to_be_visible()


def _open_key(stage: Stage, name: str) -> None:
    _panel(stage, name)
    stage.page.get_by_role("button", name="Show API key").click()
    expect(stage.page.locator("#bot-api-key")).to_be_visible()


def _bot_zuliprc(stage: Stage) -> None:
    _open_key(stage, "Lunch oracle")
    stage.page.get_by_text("Show the text").click()


def _question_of_panel(stage: Stage, name: str) -> None:
    """The question behind a link of a bot's panel, in a dialog above it."""
    _panel(stage, "Build watcher")
    stage.page.get_by_role("link", name=name).click()
    expect(stage.page.get_by_role("dialog")).to_have_count(2)


def _bot_question(stage: Stage) -> None:
    _question_of_panel(stage, "Generate new API key")


def _bot_new_key(stage: Stage) -> None:
    _bot_question(stage)
    stage.page.get_by_role("button", name="Generate new API key").click()
    expect(stage.page.get_by_text("This is the bot's new API key")).to_be_visible()


def _deactivated_panel(stage: Stage) -> None:
    stage.open_dialog("/settings/bots/?status=deactivated", "Manage bot Old importer")


def _bot_refused(stage: Stage) -> None:
    stage.open_dialog("/settings/bots/", "Add a new bot")
    stage.page.get_by_label("Name", exact=True).fill("Build watcher")
    stage.page.get_by_label("Bot email").fill("builds-2")
    stage.page.get_by_role("button", name="Add", exact=True).click()
    expect(stage.page.get_by_role("alert")).to_be_visible()


def _outgoing(stage: Stage) -> None:
    stage.open_dialog("/settings/bots/", "Add a new bot")
    stage.page.get_by_label("Bot type").select_option("Outgoing webhook")


def _invited_wrongly(stage: Stage) -> None:
    stage.open_dialog("/organization/invitations/", "Invite users")
    stage.page.get_by_label("Emails").fill("petra@example.com, not an address")
    stage.page.get_by_role("button", name="Invite", exact=True).click()
    expect(stage.page.get_by_role("alert")).to_be_visible()


def _password_refused(stage: Stage) -> None:
    stage.open_dialog("/settings/account/", "Change your password")
    stage.page.get_by_label("Current password").fill(OWNER_PASSWORD)
    stage.page.get_by_label("New password", exact=True).fill("password")
    stage.page.get_by_label("New password again").fill("password")
    stage.page.get_by_role("button", name="Change password").click()
    expect(stage.page.get_by_role("alert")).to_be_visible()


def _saved(stage: Stage) -> None:
    stage.go("/organization/policies/")
    stage.page.get_by_role("button", name="Save policies").click()
    expect(stage.page.get_by_text("The policies were saved.").first).to_be_visible()


def _person(name: str) -> Steps:
    return dialog("/organization/users/", f"{name} Milan Dvořák")


def _join(stage: Stage, email: str) -> None:
    stage.go(f"/join/{stage.organization.join_token.reveal()}/")
    stage.page.get_by_label("Email").fill(email)
    stage.page.get_by_role("button", name="Ask for a link").click()


def _join_refused(stage: Stage) -> None:
    _join(stage, "nobody@nowhere")
    expect(stage.page.get_by_role("alert")).to_be_visible()


def _join_asked(stage: Stage) -> None:
    _join(stage, "osric@example.com")
    expect(stage.page.get_by_role("heading", name="Ask for your link")).to_be_visible()


def _invited(stage: Stage) -> None:
    stage.open_dialog("/organization/invitations/", "Invite users")
    stage.page.get_by_label("Emails").fill("osric@example.com, yorick@example.com")
    stage.page.get_by_role("button", name="Invite", exact=True).click()
    expect(stage.page.get_by_role("heading", name="Invitation links")).to_be_visible()


def _reset_link_question(stage: Stage) -> None:
    _person("Manage user")(stage)
    stage.page.get_by_role("link", name="create a reset link").click()
    expect(stage.page.get_by_role("dialog")).to_have_count(2)


def _reset_link(stage: Stage) -> None:
    _reset_link_question(stage)
    stage.page.get_by_role("button", name="Create reset link").click()
    expect(stage.page.locator(".secret-link")).to_be_visible()


def _key_form(stage: Stage) -> None:
    stage.open_dialog("/settings/account/", "Add a named key")
    expect(stage.page.get_by_label("Networks")).to_be_visible()


def _key_refused(stage: Stage) -> None:
    _key_form(stage)
    stage.page.locator("#key_name").fill("Nightly backup")
    stage.page.get_by_label("Ends").select_option("On a date")
    stage.page.get_by_role("button", name="Add named key").click()
    expect(stage.page.get_by_text("Choose the date on which the API key ends.")).to_be_visible()


def _key_added(stage: Stage) -> None:
    _key_form(stage)
    stage.page.locator("#key_name").fill("Nightly backup")
    stage.page.get_by_label("Networks").fill("192.0.2.0/24, 2001:db8::/32")
    stage.page.get_by_role("button", name="Add named key").click()
    expect(stage.page.locator("#named-key")).to_be_visible()


def _key_question(stage: Stage, what: str) -> None:
    stage.go("/settings/account/")
    stage.page.get_by_title(what, exact=True).first.click()
    expect(stage.page.get_by_role("dialog")).to_be_visible()


def _key_change_refused(stage: Stage) -> None:
    _key_question(stage, "Change")
    stage.page.get_by_label("Networks").fill("somewhere")
    stage.page.get_by_role("button", name="Save API key").click()
    expect(stage.page.locator("#networks-error")).to_be_visible()


def _policy_refused(stage: Stage) -> None:
    stage.go("/organization/policies/")
    stage.page.get_by_label("Every new key must end").check()
    stage.page.get_by_role("button", name="Save policies").click()
    expect(stage.page.locator("#default_api_key_days-error")).to_be_visible()


def _bot_key_added(stage: Stage) -> None:
    _panel(stage, "Build watcher")
    stage.page.get_by_role("dialog").get_by_role("link", name="Add a named key").click()
    stage.page.locator("#key_name").fill("Deploy")
    stage.page.get_by_role("button", name="Add named key").click()
    expect(stage.page.locator("#named-key")).to_be_visible()
    stage.page.locator("#named-key").scroll_into_view_if_needed()


def _password_asked(stage: Stage) -> None:
    stage.go("/settings/bots/?status=deactivated")
    form = stage.page.locator("form[action$='/reactivate/']").first
    wrong = "Object.assign(document.createElement('input'), { type: 'hidden', name: 'password', value: 'wrong' })"
    form.evaluate(f"form => form.append({wrong})")  # the session's password is too recent to be asked for
    form.get_by_role("button").click()
    expect(stage.page.get_by_text("Password is incorrect.")).to_be_visible()


def _without_key(stage: Stage, key: str) -> None:
    """Somebody finds a key and revokes it."""
    httpx2.post(f"{stage.site}/api/v1/api_keys/revoke_by_possession", data={"api_key": key}).raise_for_status()


def _bot_without_key(stage: Stage) -> None:
    _open_key(stage, "Lunch oracle")
    _without_key(stage, stage.page.locator("#bot-api-key").text_content() or "")
    stage.open_dialog("/settings/bots/", "Manage bot Lunch oracle")
    expect(stage.page.get_by_text("This bot has no API key")).to_be_visible()


def _own_key_missing(stage: Stage) -> None:
    _own_key(stage)
    _without_key(stage, stage.page.locator("#api_key_value").text_content() or "")
    stage.open_dialog("/settings/account/", "Manage your API key")
    stage.page.get_by_label("Password", exact=True).fill(OWNER_PASSWORD)
    stage.page.get_by_role("button", name="Get API key").click()
    expect(stage.page.get_by_text("You currently have no API key")).to_be_visible()


def _hand_over_question(stage: Stage) -> None:
    _question_of_panel(stage, "Hand over by a link")


def _hand_over_link(stage: Stage) -> None:
    _hand_over_question(stage)
    stage.page.get_by_role("button", name="Create hand-over link").click()
    expect(stage.page.locator(".secret-link")).to_be_visible()


def _hand_over(stage: Stage) -> None:
    _hand_over_link(stage)
    stage.page.goto(stage.page.locator(".secret-link").text_content() or "")


def _hand_over_used(stage: Stage) -> None:
    _hand_over(stage)
    stage.page.get_by_role("button", name="Create and show the API key").click()
    expect(stage.page.locator("#named-key")).to_be_visible()


SIGNED_OUT: dict[str, Steps] = {
    "login": at("/login/"),
    "login-failed": _login_failed,
    "password-reset": at("/accounts/password/reset/"),
    "password-reset-over": at("/accounts/password/reset/a-link-of-yesterday/"),
    "password-reset-done": at("/accounts/password/done/"),
    "join-by-link-refused": _join_refused,
    "join-by-link-asked": _join_asked,
    "hand-over-over": at("/hand-over/a-link-of-yesterday/"),
    "join-over": at("/join/a-link-of-yesterday/"),
    "setup-over": at("/setup/a-link-of-yesterday/"),
    "help-signed-out": at("/help/"),
    "help-topic-signed-out": at("/help/zuliprc/"),
    "nothing-here-signed-out": at("/nowhere/"),
}


def _messages_edit(stage: Stage) -> None:
    stage.open_dialog(f"/messages/{_TOPIC}", "Edit message")


def _messages_react(stage: Stage) -> None:
    stage.go(f"/messages/{_TOPIC}")
    stage.page.locator(".react summary").last.click()
    expect(stage.page.get_by_label("thumbs up").last).to_be_visible()


def _messages_places(stage: Stage) -> None:
    stage.page.set_viewport_size({"width": 360, "height": 740})
    stage.go("/messages/")
    stage.page.get_by_text("Channels and conversations").click()


def _bot_sent_and_received(stage: Stage) -> None:
    stage.go(f"/settings/bots/{stage.organization.bot.id}/messages/")
    stage.page.get_by_role("button", name="Show messages").click()
    expect(stage.page.get_by_role("button", name="Look again")).to_be_visible()


_TOPIC = "?channel=1&topic=builds"

SIGNED_IN: dict[str, Steps] = {
    "account-email-without-mail": dialog("/settings/account/", "Change your email"),
    "email-over": at("/settings/account/email/confirm/a-link-of-yesterday/"),
    "people": at("/people/"),
    "people-none-fits": at("/people/?filter=zebra"),
    "account-display": dialog("/settings/account/", "Change theme and time zone"),
    "botserverrc": dialog("/settings/bots/", "Download botserverrc"),
    "organization-profile": at("/organization/profile/"),
    "messages": at("/messages/"),
    "messages-topic": at(f"/messages/{_TOPIC}"),
    "messages-channel-empty-topic": at("/messages/?channel=1&topic=nothing+yet"),
    "messages-channel": at("/messages/?channel=1"),
    "messages-direct": lambda stage: stage.go(f"/messages/?with={stage.organization.member.id}"),
    "messages-sent": at("/messages/?sent=yes"),
    "messages-places": _messages_places,
    "messages-edit": _messages_edit,
    "messages-react": _messages_react,
    "messages-new": dialog("/messages/", "New message"),
    "messages-nowhere": at("/messages/?channel=999"),
    "bot-messages-question": lambda stage: stage.go(f"/settings/bots/{stage.organization.bot.id}/messages/"),
    "bot-messages": _bot_sent_and_received,
    "account": at("/settings/account/"),
    "account-name": dialog("/settings/account/", "Change your name"),
    "account-password": dialog("/settings/account/", "Change your password"),
    "account-password-refused": _password_refused,
    "account-deactivate": dialog("/settings/account/", "Deactivate your account"),
    "api-key-password": dialog("/settings/account/", "Manage your API key"),
    "api-key-password-wrong": _password_wrong,
    "api-key": _own_key,
    "api-key-copied": _own_key_copied,
    "api-key-question": _own_key_question,
    "named-key-form": _key_form,
    "named-key-refused": _key_refused,
    "named-key-added": _key_added,
    "named-key-change": lambda stage: _key_question(stage, "Change"),
    "named-key-change-refused": _key_change_refused,
    "named-key-regenerate": lambda stage: _key_question(stage, "Regenerate"),
    "named-key-revoke": lambda stage: _key_question(stage, "Revoke"),
    "bots": at("/settings/bots/"),
    "bots-deactivated": at("/settings/bots/?status=deactivated"),
    "bots-none-fits": at("/settings/bots/?filter=zebra"),
    "bot-add": dialog("/settings/bots/", "Add a new bot"),
    "bot-add-outgoing": _outgoing,
    "bot-add-refused": _bot_refused,
    "bot-add-page": at("/settings/bots/add/"),
    "bot-panel": lambda stage: _panel(stage, "Build watcher"),
    "bot-panel-key": lambda stage: _open_key(stage, "Build watcher"),
    "bot-panel-outgoing": _bot_zuliprc,
    "bot-panel-webhook": lambda stage: _panel(stage, "Issue tracker"),
    "bot-panel-webhook-key": lambda stage: _open_key(stage, "Issue tracker"),
    "bot-panel-deactivated": _deactivated_panel,
    "bot-panel-page": lambda stage: stage.go(f"/settings/bots/{stage.organization.bot.id}/"),
    "bot-question": _bot_question,
    "bot-new-key": _bot_new_key,
    "bot-named-key-added": _bot_key_added,
    "bot-hand-over": _hand_over_question,
    "bot-hand-over-link": _hand_over_link,
    "hand-over": _hand_over,
    "hand-over-used": _hand_over_used,
    "bot-deactivate": dialog("/settings/bots/", "Deactivate bot Build watcher"),
    "sessions": at("/settings/sessions/"),
    "security-log": at("/settings/security-log/"),
    "security-log-filtered": at("/settings/security-log/?kind=Mobile+devices&period=24+hours"),
    "users": at("/organization/users/"),
    "users-deactivated": at("/organization/users/?status=deactivated"),
    "user-panel": _person("Manage user"),
    "user-deactivate": _person("Deactivate user"),
    "invitations": at("/organization/invitations/"),
    "invitation-add": dialog("/organization/invitations/", "Invite users"),
    "invitation-refused": _invited_wrongly,
    "invitation-links": _invited,
    "reset-link-question": _reset_link_question,
    "reset-link": _reset_link,
    "unsent-mail": at("/organization/mail/"),
    "all-bots": at("/organization/bots/"),
    "all-keys": at("/organization/api-keys/"),
    "all-keys-none-fits": at("/organization/api-keys/?filter=zebra"),
    "policies": at("/organization/policies/"),
    "policies-saved": _saved,
    "policies-refused": _policy_refused,
    "audit": at("/organization/audit/"),
    "audit-none-fits": at("/organization/audit/?who=zebra"),
    "help": at("/help/"),
    "help-api-keys": at("/help/api-keys/"),
    "help-get-a-key": at("/help/get-a-key/"),
    "help-zuliprc": at("/help/zuliprc/"),
    "help-invalidate": at("/help/invalidate-a-key/"),
    "help-named-keys": at("/help/named-keys/"),
    "help-bots": at("/help/bots/"),
    "help-after-a-leak": at("/help/after-a-leak/"),
    "nothing-here": at("/nowhere/"),
    "no-such-bot": at("/settings/bots/99999/"),
    "password-asked": _password_asked,
    # These come last, because they end what the others show.
    "api-key-new": _own_key_new,
    "sessions-no-devices": at("/settings/sessions/"),
    "bot-without-key": _bot_without_key,
    "bots-one-without-key": at("/settings/bots/"),
    "api-key-missing": _own_key_missing,
    "account-without-key": at("/settings/account/"),
}
