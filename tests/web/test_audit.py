"""The security log and the audit log, as their readers see them."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import pytest
from playwright.sync_api import Page, expect

from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.services import accounts
from keybearer.server.services.context import Context
from keybearer.server.storage.tables import audit
from tests.server_process import RunningServer
from tests.web.organization import MEMBER, Organization
from tests.web.visitor import sign_in_directly


@pytest.fixture
def member_page(other_page: Page, server: RunningServer, organization: Organization) -> Page:
    sign_in_directly(other_page.context, server, MEMBER)
    return other_page


def test_the_audit_log_can_be_filtered_by_kind_and_by_account(
    tab: Page, server: RunningServer, organization: Organization
) -> None:
    tab.goto(f"{server.site}/organization/audit/")
    tab.get_by_label("User or bot").fill("telescope")
    tab.get_by_label("About").select_option("Bots")
    tab.get_by_label("User or bot").press("Enter")
    expect(tab.get_by_text("Milan Dvořák added the bot Telescope control.")).to_be_visible()
    expect(tab.get_by_text("You added the bot Build watcher.")).to_have_count(0)


def test_the_security_log_says_who_still_uses_an_old_key(
    owner_page: Page, server: RunningServer, organization: Organization
) -> None:
    old = server.api_key_of(organization.webhook.delivery_email)
    owner_page.goto(f"{server.site}/settings/bots/{organization.webhook.id}/api-key/regenerate/")
    owner_page.get_by_role("button", name="Generate new API key").click()
    expect(owner_page.get_by_text("This is the bot's new API key")).to_be_visible()
    headers = {"User-Agent": "BuildServer/7.2"}
    auth = (organization.webhook.delivery_email, old)
    assert httpx2.get(f"{server.site}/api/v1/users/me", auth=auth, headers=headers).status_code == 401

    def count_warnings() -> int:
        owner_page.goto(f"{server.site}/settings/security-log/?kind=API+keys")
        words = "The old key of Issue tracker is still being used from 127.0.0.1 by BuildServer 7.2."
        return owner_page.get_by_text(words).count()

    assert any(count_warnings() for _ in range(20))


def test_a_log_is_divided_into_days(tab: Page, server: RunningServer, organization: Organization) -> None:
    async def move(context: Context) -> None:
        async with context.change(None) as change:
            day_before = audit.update().where(audit.c.event == AuditEvent.INVITATION_CREATED.value)
            await change.connection.execute(day_before.values(at=change.now - timedelta(days=40)))

    server.on_data(move)
    tab.goto(f"{server.site}/organization/audit/?who=olivia")
    entry = tab.locator(".log > li", has_text="invited petra@example.com")
    day = entry.locator("xpath=preceding-sibling::li[@class='log-day'][1]")
    assert (day.text_content() or "") != (tab.locator(".log-day").first.text_content() or "")
    assert tab.locator(".log-day").count() >= 2


def test_a_log_hides_the_address_of_an_administrator(
    member_page: Page, server: RunningServer, organization: Organization
) -> None:
    async def rename(context: Context) -> None:
        owner = Caller(organization.owner, RequestOrigin("203.0.113.99", "Office/1.0"))
        await accounts.change_person(context, owner, organization.member.id, full_name="Milan D.", role=None)
        await accounts.change_person(context, owner, organization.member.id, full_name="Milan Dvořák", role=None)

    server.on_data(rename)
    member_page.goto(f"{server.site}/settings/security-log/")
    entry = member_page.get_by_text("Olivia Owner changed the name").first
    expect(entry).to_be_visible()
    expect(member_page.get_by_text("203.0.113.99")).to_have_count(0)
