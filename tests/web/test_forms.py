"""Forms: choices stay after a refusal, one press is one change, and no failure is silent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx2
from playwright.sync_api import Page, expect
from sqlalchemy import text

from keybearer.server.http.csrf import FIELD
from keybearer.server.services.context import Context
from tests.server_process import RunningServer
from tests.web.organization import MEMBER, Organization
from tests.web.visitor import token_in


@contextmanager
def failing_database(server: RunningServer) -> Iterator[None]:
    """The server's database lacks what every page needs."""

    def rename(old: str, new: str) -> None:
        async def change_schema(context: Context) -> None:
            async with context.change(None) as change:
                await change.connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

        server.on_data(change_schema)

    rename("sessions", "sessions_elsewhere")
    try:
        yield
    finally:
        rename("sessions_elsewhere", "sessions")


def test_a_refused_change_of_a_user_keeps_what_was_chosen(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/organization/users/?filter={MEMBER}")
    tab.get_by_title("Manage user").click()
    tab.get_by_label("Name", exact=True).fill("Milan * Dvořák")
    tab.get_by_label("Role", exact=True).select_option("Moderator")
    tab.get_by_role("button", name="Save changes").click()
    expect(tab.get_by_role("alert")).to_contain_text("Please leave out")
    expect(tab.get_by_label("Name", exact=True)).to_have_value("Milan * Dvořák")
    expect(tab.get_by_label("Role", exact=True).locator("option:checked")).to_have_text("Moderator")


def test_a_refused_change_of_a_bot_keeps_what_was_chosen(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/settings/bots/")
    tab.get_by_role("link", name="Manage bot Lunch oracle").click()
    tab.get_by_label("Name", exact=True).fill("Build watcher")
    tab.get_by_label("Role", exact=True).select_option("Guest")
    tab.get_by_label("Owner", exact=True).select_option("Milan Dvořák")
    tab.get_by_label("Outgoing webhook message format").select_option("Slack")
    tab.get_by_role("button", name="Save changes").click()
    expect(tab.get_by_role("alert")).to_contain_text("Name is already in use.")
    for label, chosen in (
        ("Role", "Guest"),
        ("Owner", "Milan Dvořák"),
        ("Outgoing webhook message format", "Slack"),
    ):
        expect(tab.get_by_label(label, exact=True).locator("option:checked")).to_have_text(chosen)


def test_an_outgoing_webhook_without_an_endpoint_is_told_what_to_enter(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/settings/bots/add/")
    tab.get_by_label("Bot type").select_option("Outgoing webhook")
    tab.get_by_label("Name", exact=True).fill("Speechless")
    tab.get_by_label("Bot email").fill("speechless")
    tab.get_by_role("button", name="Add", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("Please enter the whole endpoint URL")
    expect(tab.get_by_label("Bot type").locator("option:checked")).to_have_text("Outgoing webhook")


def test_two_presses_add_one_bot(owner_page: Page, server: RunningServer, organization: Organization) -> None:
    owner_page.goto(f"{server.site}/settings/bots/")
    owner_page.get_by_role("link", name="Add a new bot").first.click()
    owner_page.get_by_label("Name", exact=True).fill("Only one")
    owner_page.get_by_label("Bot email").fill("only-one")
    owner_page.get_by_role("button", name="Add", exact=True).dblclick()
    expect(owner_page.get_by_text("The bot was added.").first).to_be_visible()
    expect(owner_page.get_by_role("row", name="Only one")).to_have_count(1)


def test_a_form_interrupted_by_a_closed_connection_changes_nothing(server: RunningServer, owner: httpx2.Client) -> None:
    body = urlencode({FIELD: token_in(owner.get("/settings/account/").text), "full_name": "Mia Something"}).encode()
    head = (
        f"POST /settings/account/name/ HTTP/1.1\r\nHost: localhost:{server.port}\r\n"
        f"Cookie: sessionid={owner.cookies['sessionid']}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()

    def send(piece: bytes, *, politely: bool = True) -> bytes:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(head + piece)
            if not politely:
                return b""
            if len(piece) < len(body):
                connection.shutdown(socket.SHUT_WR)
            return connection.recv(4096)

    for missing in (1, 4, 20):
        assert not send(body[:-missing]).startswith(b"HTTP/1.1 303")
        send(body[:-missing], politely=False)
        assert "Mia" not in owner.get("/settings/account/").text
    assert send(body).startswith(b"HTTP/1.1 303")


def test_a_form_says_so_when_the_server_cannot_save(owner_page: Page, server: RunningServer) -> None:
    owner_page.goto(f"{server.site}/settings/account/")
    with failing_database(server):
        owner_page.get_by_role("button", name="Save privacy settings").click()
        expect(owner_page.get_by_role("alert")).to_contain_text("The server cannot use its database at the moment.")
    owner_page.get_by_role("button", name="Save privacy settings").click()
    expect(owner_page.get_by_text("Your privacy settings were saved.").first).to_be_visible()
    expect(owner_page.get_by_role("alert")).to_have_count(0)


def test_a_filter_says_so_when_the_server_does_not_answer(owner_page: Page, server: RunningServer) -> None:
    owner_page.goto(f"{server.site}/settings/bots/")
    owner_page.context.set_offline(True)
    owner_page.get_by_label("Filter").fill("zebra")
    expect(owner_page.get_by_role("alert")).to_contain_text("The server did not answer.")
    owner_page.context.set_offline(False)
    owner_page.get_by_label("Filter").fill("zebras")
    expect(
        owner_page.get_by_text("No bot’s name or email contains").or_(owner_page.get_by_text("You have no"))
    ).to_be_visible()
    expect(owner_page.get_by_role("alert")).to_have_count(0)
