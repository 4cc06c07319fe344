"""Help: complete, linked from the pages that it is about, and consistent with the table of settings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Page, expect

from keybearer.server.web.help_pages import TOPICS
from keybearer.zuliprc.fields import FIELDS
from tests.server_process import RunningServer
from tests.web.organization import Organization
from tests.web.visitor import client_of

PAGES_THAT_CONCERN_A_TOPIC = {
    "/settings/account/": "/help/api-keys/",
    "/settings/bots/": "/help/bots/",
    "/settings/bots/add/": "/help/bots/",
    "/settings/account/api-key/regenerate/": "/help/invalidate-a-key/",
    "/settings/sessions/": "/help/invalidate-a-key/",
    "/settings/security-log/": "/help/after-a-leak/",
    "/organization/policies/": "/help/bots/",
    "/organization/audit/": "/help/after-a-leak/",
    "/accounts/password/done/": "/help/invalidate-a-key/",
}


@pytest.fixture(scope="module")
def client(server: RunningServer, organization: Organization) -> Iterator[httpx2.Client]:
    with client_of(server) as signed_in:
        yield signed_in


def links(page: str) -> set[str]:
    return set(re.findall(r'href="(/[^"#?]*)', page))


def test_the_index_lists_every_topic(client: httpx2.Client) -> None:
    listed = links(client.get("/help/").text)
    assert {f"/help/{topic.name}/" for topic in TOPICS} <= listed


@pytest.mark.parametrize("path", PAGES_THAT_CONCERN_A_TOPIC)
def test_a_page_links_to_its_help(client: httpx2.Client, path: str) -> None:
    assert PAGES_THAT_CONCERN_A_TOPIC[path] in links(client.get(path).text)


def test_every_link_of_every_page_leads_somewhere(client: httpx2.Client) -> None:
    seen, waiting = set[str](), {"/", "/login/"}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            waiting |= links(answer.text) - seen


def test_the_table_of_settings_has_every_setting(page: Page, server: RunningServer) -> None:
    page.goto(f"{server.site}/help/zuliprc/")
    for field in FIELDS.values():
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=field.name).first).first
        expect(row).to_be_visible()
        for word in (*field.file_keys, field.variable):
            expect(row).to_contain_text(word)
        expect(row).to_contain_text("yes" if field.required else "no")


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/#settings/account-and-privacy", "/settings/account/"),
        ("/#settings/your-bots", "/settings/bots/"),
        ("/#organization/bots", "/organization/bots/"),
    ],
)
def test_a_url_of_zulips_own_settings_leads_to_the_page(
    owner_page: Page, server: RunningServer, address: str, path: str
) -> None:
    owner_page.goto(f"{server.site}{address}")
    owner_page.wait_for_url(f"{server.site}{path}*")


def test_an_unknown_topic_is_not_found(client: httpx2.Client) -> None:
    assert client.get("/help/no-such-topic/").status_code == 404
