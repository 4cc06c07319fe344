"""Unsent mail: administrators see its recipient and subject, and nobody sees its text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.services import invitations
from tests.in_process import InProcessServer, prepared, serving


@pytest.fixture
async def server(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """A server whose mail server cannot be reached."""
    async with serving(prepared(tmp_path / "data", sqlite_template, smtp_url="smtp://127.0.0.1:1")) as server:
        yield server


async def test_an_administrator_sees_recipient_and_subject_of_a_mail_and_not_its_link(server: InProcessServer) -> None:
    iago = await server.add_person("iago", Role.ADMINISTRATOR)
    ((_, token),) = await invitations.invite(server.context, Caller(iago.account), ["yorick@example.com"])
    page = (await (await server.signed_in(iago)).get("/organization/mail/")).text
    assert "yorick<wbr>@example.com" in page
    assert "Iago invites you to Example" in page
    assert token.reveal() not in page
    assert "/join/" not in page


async def test_if_mail_is_sent_the_inviter_is_shown_no_link(server: InProcessServer) -> None:
    browser = await server.signed_in(await server.add_person("iago", Role.ADMINISTRATOR))
    form = await browser.get("/organization/invitations/add/")
    once = form.text.partition('name="once" value="')[2].partition('"')[0]
    answer = await browser.post(
        "/organization/invitations/add/", data={"once": once, "emails": "yorick@example.com", "role": "400"}
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/organization/invitations/"


async def test_members_see_no_unsent_mail(server: InProcessServer) -> None:
    browser = await server.signed_in(await server.add_person("hamlet"))
    assert (await browser.get("/organization/mail/")).status_code == 403
