"""One's own email: requested with the password, confirmed by a link to the new address, undone by a link to the old
one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import update

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.services import accounts as people
from keybearer.server.services import email_changes, passwords
from keybearer.server.storage import links
from keybearer.server.storage.tables import links as link_rows
from tests.in_process import PASSWORD, InProcessServer, Known, prepared, serving

NEW = "hamlet@elsinore.example"
FORM, UNDO = "/settings/account/email/", "/accounts/email/undo/"
CONFIRM = f"{FORM}confirm/"


@pytest_asyncio.fixture
async def server(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """A server with a mail server that it cannot reach."""
    async with serving(prepared(tmp_path / "data", sqlite_template, smtp_url="smtp://127.0.0.1:1")) as server:
        yield server


@pytest_asyncio.fixture
async def hamlet(server: InProcessServer) -> Known:
    return await server.add_person("hamlet")


@pytest_asyncio.fixture
async def browser(server: InProcessServer, hamlet: Known) -> httpx2.AsyncClient:
    return await server.signed_in(hamlet)


async def ask(browser: httpx2.AsyncClient, email: str = NEW, password: str = PASSWORD) -> httpx2.Response:
    return await browser.post(FORM, data={"email": email, "password": password})


async def link_to(server: InProcessServer, recipient: str, path: str = CONFIRM) -> str:
    """The path of the newest link that was mailed to that address."""
    texts = [mail.body for mail in await server.mails() if mail.recipient == recipient]
    found = re.findall(rf"{re.escape(path)}[\w-]+/", "\n".join(texts))
    assert found, texts
    return str(found[-1])


async def email_of(server: InProcessServer, known: Known) -> str:
    everybody = await people.find_all_for_operator(server.context)
    return next(account.delivery_email for account in everybody if account.id == known.id)


async def change_email(server: InProcessServer, browser: httpx2.AsyncClient) -> None:
    """Change the email, from the form to the link."""
    assert (await ask(browser)).status_code == 303
    answer = await browser.post(await link_to(server, NEW))
    assert (answer.status_code, answer.headers["location"]) == (303, f"{FORM}programs/")


async def test_a_link_to_the_new_address_changes_the_email(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    await ask(browser)
    assert await email_of(server, hamlet) == hamlet.email
    path = await link_to(server, NEW)
    assert NEW in (await browser.get(path)).text
    assert await email_of(server, hamlet) == hamlet.email
    assert (await browser.post(path)).status_code == 303
    assert await email_of(server, hamlet) == NEW
    assert (await browser.post(path)).status_code == 404
    events = [event for event in await server.events() if event[0].startswith("account:email")]
    assert events == [
        ("account:email_change_requested", hamlet.id, hamlet.id),
        ("account:email_changed", hamlet.id, hamlet.id),
    ]


async def test_the_key_is_valid_with_the_new_email_and_no_longer_with_the_old(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    await change_email(server, browser)
    client = server.client()
    assert (await client.get("/api/v1/users/me", auth=(NEW, hamlet.auth[1]))).status_code == 200
    assert (await client.get("/api/v1/users/me", auth=hamlet.auth)).status_code == 401


async def test_other_sessions_and_reset_links_end_and_the_one_that_confirmed_stays(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    other = await server.signed_in(hamlet)
    reset = await passwords.reset_link_by_operator(server.context, hamlet.email)
    await change_email(server, browser)
    assert (await browser.get("/settings/account/")).status_code == 200
    assert (await other.get("/settings/account/")).status_code == 302
    assert await passwords.find_reset(server.context, reset) is None


async def test_the_password_is_always_required_however_recently_it_was_given(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    for password in ("", "wrong"):
        answer = await ask(browser, password=password)
        assert answer.status_code == 400
        assert "Password is incorrect." in answer.text
    assert await server.mails() == []


async def test_a_key_cannot_change_an_email(server: InProcessServer, hamlet: Known) -> None:
    with pytest.raises(Refused, match="only be changed on the web pages"):
        await email_changes.request(server.context, Caller(hamlet.account), NEW, Secret(PASSWORD))


@pytest.mark.parametrize(
    ("email", "words"),
    [
        ("no address", "Enter a valid email address."),
        ("Hamlet@Example.com", "This is already your email."),
        ("#h@example.com", "begins with #"),
    ],
)
async def test_an_invalid_address_is_refused_with_the_reason(
    server: InProcessServer, browser: httpx2.AsyncClient, email: str, words: str
) -> None:
    answer = await ask(browser, email)
    assert answer.status_code == 400
    assert words in answer.text
    assert await server.mails() == []


async def test_a_taken_address_gets_the_same_answer_and_no_link(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    ophelia = await server.add_person("ophelia")
    free, taken = await ask(browser), await ask(browser, ophelia.email.upper())
    assert (free.status_code, dict(free.headers) | {"date": "", "x-request-id": ""}) == (
        taken.status_code,
        dict(taken.headers) | {"date": "", "x-request-id": ""},
    )
    (mail,) = [mail for mail in await server.mails() if mail.recipient == ophelia.email.upper()]
    assert CONFIRM not in mail.body
    assert "has an account" in mail.body


async def test_an_address_is_checked_again_when_the_link_is_opened(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    await ask(browser)
    path = await link_to(server, NEW)
    await server.add_person("hamlet", domain="elsinore.example")
    assert (await browser.get(path)).status_code == 404
    assert (await browser.post(path)).status_code == 404
    assert await email_of(server, hamlet) == hamlet.email


async def test_only_the_account_that_asked_can_use_the_link(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    await ask(browser)
    path = await link_to(server, NEW)
    ophelia = await server.signed_in(await server.add_person("ophelia"))
    for answer in (await ophelia.get(path), await ophelia.post(path)):
        assert answer.status_code == 404
    stranger = await server.client().get(path)
    assert stranger.status_code == 302
    assert stranger.headers["location"].startswith("/login/?next=")
    assert await email_of(server, hamlet) == hamlet.email


@pytest.mark.parametrize(("path", "lives"), [(CONFIRM, timedelta(hours=1)), (UNDO, timedelta(days=7))])
async def test_a_link_ends_after_its_time(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient, path: str, lives: timedelta
) -> None:
    await ask(browser)
    if path == UNDO:
        await browser.post(await link_to(server, NEW))
    link = await link_to(server, NEW if path == CONFIRM else hamlet.email, path)
    async with server.context.change(None) as change:
        (expires,) = (await change.connection.execute(link_rows.select())).all()
        assert expires.expires_at - expires.created_at == lives
        await change.connection.execute(update(link_rows).values(expires_at=change.now))
    assert (await browser.get(link)).status_code == 404
    assert (await browser.post(link)).status_code == 404


async def test_a_new_request_or_a_new_password_ends_the_earlier_link(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    await ask(browser)
    first = await link_to(server, NEW)
    await ask(browser, "prince@elsinore.example")
    assert (await browser.post(first)).status_code == 404
    second = await link_to(server, "prince@elsinore.example")
    form = {
        "old_password": PASSWORD,
        "new_password1": "a whole new phrase 27",
        "new_password2": "a whole new phrase 27",
    }
    assert (await browser.post("/settings/account/password/", data=form)).status_code == 303
    assert (await browser.post(second)).status_code == 404


async def test_the_old_address_changes_it_back_and_everybody_is_signed_out(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    await change_email(server, browser)
    path = await link_to(server, hamlet.email, UNDO)
    stranger = server.client()
    page = await stranger.get(path)
    assert hamlet.email in page.text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    answer = await stranger.post(path, data={"csrfmiddlewaretoken": token[1]}, headers={"Referer": f"{server.site}/"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/accounts/email/undone/")
    assert await email_of(server, hamlet) == hamlet.email
    assert (await browser.get("/settings/account/")).status_code == 302
    assert (await stranger.get(path)).status_code == 404


async def test_undoing_a_change_leaves_no_link_that_repeats_it(
    server: InProcessServer, hamlet: Known, browser: httpx2.AsyncClient
) -> None:
    await change_email(server, browser)
    await ask(browser, "thief@example.net")
    await browser.post(await link_to(server, "thief@example.net"))
    undo = Secret((await link_to(server, hamlet.email, UNDO)).removeprefix(UNDO).strip("/"))
    of_thief = Secret((await link_to(server, NEW, UNDO)).removeprefix(UNDO).strip("/"))
    await email_changes.undo(server.context, undo, RequestOrigin("192.0.2.1", "test"))
    assert await email_of(server, hamlet) == hamlet.email
    assert await email_changes.find_undo(server.context, of_thief) is None
    async with server.context.reading() as connection:
        for purpose in (LinkPurpose.EMAIL_CHANGE, LinkPurpose.EMAIL_UNDO):
            assert await links.find_all(connection, [purpose], server.context.clock()) == []


async def test_more_than_two_requests_in_an_hour_are_refused(
    server: InProcessServer, browser: httpx2.AsyncClient
) -> None:
    answers = [await ask(browser, f"hamlet-{number}@elsinore.example") for number in range(3)]
    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert "retry-after" in answers[-1].headers


async def test_without_a_mail_server_the_page_names_the_operators_command(
    tmp_path: Path, sqlite_template: Path
) -> None:
    (tmp_path / "silent").mkdir()
    async with serving(prepared(tmp_path / "silent" / "data", sqlite_template)) as server:
        hamlet = await server.add_person("hamlet")
        browser = await server.signed_in(hamlet)
        assert "keybearer admin change-email" in (await browser.get(FORM)).text
        assert (await ask(browser)).status_code == 400
        moved = await email_changes.change_by_operator(server.context, hamlet.id, NEW)
        assert moved.delivery_email == NEW
        assert (await browser.get("/settings/account/")).status_code == 302


async def test_the_operator_cannot_assign_a_taken_address_or_any_address_to_a_bot(
    server: InProcessServer, hamlet: Known
) -> None:
    ophelia = await server.add_person("ophelia", Role.MEMBER)
    bot = await server.add_bot(hamlet, "yorick")
    with pytest.raises(Refused, match="already in use"):
        await email_changes.change_by_operator(server.context, hamlet.id, ophelia.email)
    with pytest.raises(Refused, match="has that email address already"):
        await email_changes.change_by_operator(server.context, hamlet.id, hamlet.email)
    with pytest.raises(Refused, match="Bots have the email"):
        await email_changes.change_by_operator(server.context, bot.id, NEW)


async def test_a_change_and_its_undoing_are_stored_on_either_database(tmp_path: Path, database_url: str) -> None:
    settings = prepared(tmp_path / "data", database_url=database_url, smtp_url="smtp://127.0.0.1:1")
    async with serving(settings) as server:
        hamlet = await server.add_person("hamlet")
        browser = await server.signed_in(hamlet)
        await change_email(server, browser)
        assert await email_of(server, hamlet) == NEW
        undo = Secret((await link_to(server, hamlet.email, UNDO)).removeprefix(UNDO).strip("/"))
        await email_changes.undo(server.context, undo, RequestOrigin("192.0.2.1", "test"))
        assert await email_of(server, hamlet) == hamlet.email
