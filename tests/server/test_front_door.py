"""One front door: the same limits, refusals, log lines and records for all doors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.domain.realms import SystemGroup
from keybearer.server.services import realms
from keybearer.server.services.messaging import uploads
from keybearer.server.services.messaging.upload_contents import IncomingContent
from keybearer.server.services.realms import RealmChange
from keybearer.server.storage import links
from keybearer.server.storage.messaging import upload_contents as contents
from keybearer.server.storage.messaging import uploads as upload_rows
from keybearer.server.storage.messaging.tables import uploads as uploads_table
from keybearer.server.storage.tables import links as links_table
from keybearer.server.storage.tables import realms as realms_table
from tests.asgi import FORM_TYPE, Answer, Headers, ask, by_key, by_session, form
from tests.in_process import InProcessServer, prepared, serving
from tests.server.test_audit import recorded
from tests.server.test_authority import forget_passwords

WRONG = "not the password"
ASKS_THE_PASSWORD = {
    "/settings/account/api-key/": {"password": WRONG},
    "/settings/account/deactivate/": {"password": WRONG},
    "/settings/account/password/": {
        "old_password": WRONG, "new_password1": "another good phrase 9375", "new_password2": "another good phrase 9375",
    },
    "/json/fetch_api_key": {"password": WRONG},
}  # fmt: skip


async def post(server: InProcessServer, path: str, who: Headers, fields: dict[str, str]) -> Answer:
    return await ask(server.app, "POST", path, {**who, "content-type": FORM_TYPE}, form(fields))


@pytest.mark.parametrize("path", ASKS_THE_PASSWORD)
async def test_wrong_passwords_are_limited_at_every_form_that_asks_for_one(server: InProcessServer, path: str) -> None:
    browser = by_session(await server.signed_in(await server.add_person("hamlet")))
    answers = [await post(server, path, browser, ASKS_THE_PASSWORD[path]) for _ in range(7)]
    assert [answer.status for answer in answers] == [400] * 5 + [429] * 2
    assert all(float(answer.headers["retry-after"]) > 0 for answer in answers[5:])


async def test_wrong_passwords_at_different_forms_are_counted_together(server: InProcessServer) -> None:
    browser = by_session(await server.signed_in(await server.add_person("hamlet")))
    statuses = [(await post(server, path, browser, fields)).status for path, fields in ASKS_THE_PASSWORD.items()]
    statuses += [(await post(server, path, browser, fields)).status for path, fields in ASKS_THE_PASSWORD.items()]
    assert statuses == [400] * 5 + [429] * 3


@pytest.fixture
async def strict(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """A server that allows few calls."""
    async with serving(prepared(tmp_path / "data", sqlite_template, api_limit="3/minute")) as server:
        yield server


async def test_uploaded_files_are_counted_as_calls_and_pages_are_not(strict: InProcessServer) -> None:
    hamlet = await strict.add_person("hamlet")
    caller = Caller(hamlet.account)
    content = IncomingContent(strict.context, caller, 1)
    await content.write(b"x")
    kept = await uploads.save(strict.context, caller, name="x.txt", content_type="text/plain", content=content)
    path = f"/user_uploads/{kept.path}"
    browser = by_session(await strict.signed_in(hamlet))
    answers = [await ask(strict.app, "GET", path, browser) for _ in range(2)]
    answers += [await ask(strict.app, "GET", path, by_key(hamlet.auth)) for _ in range(2)]
    assert [answer.status for answer in answers] == [200] * 3 + [429]
    assert float(answers[-1].headers["retry-after"]) > 0
    pages = [await ask(strict.app, "GET", "/settings/account/", browser) for _ in range(5)]
    assert {page.status for page in pages} == {200}


TOKEN = "a-token-that-nobody-else-may-read"


async def make_links_unreadable(server: InProcessServer) -> None:
    """A link for each purpose with one token, with a role that no program knows."""
    async with server.context.change(None) as change:
        for number, purpose in enumerate(LinkPurpose):
            link = await links.add(change.connection, Secret(f"{TOKEN}-{number}"), purpose, at=change.now)
            await change.connection.execute(update(links_table).where(links_table.c.id == link.id).values(role=7))


PATHS = {
    f"/setup/{TOKEN}-0/": "GET /setup/{token}/",
    f"/join/{TOKEN}-1/": "GET /join/{token}/",
    f"/join/{TOKEN}-2/": "GET /join/{token}/",
    f"/accounts/password/reset/{TOKEN}-3/": "GET /accounts/password/reset/{token}/",
}


@pytest.mark.parametrize("path", PATHS)
async def test_an_unexpected_error_is_logged_without_the_token_in_the_path(
    server: InProcessServer, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    await make_links_unreadable(server)
    if path.startswith("/setup/"):  # a page that exists only before there is an organization
        async with server.context.change(None) as change:
            await change.connection.execute(delete(realms_table))
    answer = await ask(server.app, "GET", path)
    assert answer.status == 500
    assert "Traceback" not in answer.text
    assert f"{PATHS[path]} failed" in caplog.messages
    assert TOKEN not in caplog.text


async def test_a_temporary_link_that_fails_is_logged_without_its_token(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    hamlet = await server.add_person("hamlet")
    async with server.context.change(None) as change:
        kept = await upload_rows.add(
            change.connection, path="1/directory/x", account_id=hamlet.id, name="x", content_type="text/plain", size=1,
            at=change.now,
        )  # fmt: skip
        # A type that no header can contain. Nothing in the program writes such a row.
        await change.connection.execute(update(uploads_table).values(content_type="text/\N{SNOWMAN}"))
        content_id = await contents.begin(change.connection, hamlet.id, size=1, at=change.now)
        assert await contents.finish(change.connection, content_id, kept.id, 1)
    link = uploads.temporary_link(server.context, Caller(hamlet.account), kept)
    assert (await ask(server.app, "GET", link)).status == 500
    assert "GET temporary/{token}/{filename} failed" in caplog.messages
    assert link.split("/")[3] not in caplog.text


ATTEMPTS: dict[str, tuple[str, dict[str, str], str]] = {
    "a rule": ("/organization/policies/", {}, "POST /organization/policies/: Must be an organization administrator"),
    "a form": ("/settings/bots/add/", {"full_name": "Bot", "short_name": "x"}, "POST /settings/bots/add/: "),
    "the token": ("/settings/account/name/", {"csrfmiddlewaretoken": "wrong"}, "POST /settings/account/name/: CSRF "),
}


@pytest.mark.parametrize("name", ATTEMPTS)
async def test_a_refused_page_is_recorded_with_the_servers_own_reason(
    server: InProcessServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path, fields, reason = ATTEMPTS[name]
    olive, hamlet = await server.add_person("olive", Role.OWNER), await server.add_person("hamlet")
    await realms.change(server.context, Caller(olive.account), RealmChange(can_create_bots=SystemGroup.ADMINISTRATORS))
    browser = by_session(await server.signed_in(hamlet))
    if "csrfmiddlewaretoken" in fields:
        browser = {"cookie": browser["cookie"]}
    start = server.context.clock()
    with caplog.at_level(logging.INFO):
        answers = [await post(server, f"{path}?{CANARY}", {**browser, "user-agent": CANARY}, fields) for _ in range(3)]
    assert [answer.status for answer in answers] == [403] * 3
    assert await recorded(server, since=start) == [("call:refused", None, hamlet.id)]
    (logged,) = [message for message in caplog.messages if message.startswith("refused a call")]
    assert f": {reason}" in logged
    assert CANARY not in caplog.text


CANARY = "something-that-a-client-wrote"


async def test_asking_for_the_password_again_is_not_recorded_as_an_attempt(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    hamlet = await server.add_person("hamlet")
    browser = by_session(await server.signed_in(hamlet))
    await forget_passwords(server)
    with caplog.at_level(logging.INFO):
        once = server.once(browser["cookie"].partition("=")[2])
        assert (await post(server, "/settings/account/api-key/regenerate/", browser, once)).status == 403
    assert "refused a call" not in caplog.text


async def test_the_security_log_describes_a_refused_call(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    browser, start = by_session(await server.signed_in(hamlet)), server.context.clock()
    await ask(server.app, "GET", "/organization/users/", browser)
    await recorded(server, since=start)
    page = await ask(server.app, "GET", "/settings/security-log/?kind=Refused+calls", browser)
    assert "A call by you was refused: GET /organization/users/: Must be an organization administrator." in page.text


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v2/users/me", "//api/v1/users/x/y/z", "/json/users/me/", "/nothing/"]
)
async def test_an_unknown_path_is_answered_with_a_page_as_in_zulip(server: InProcessServer, path: str) -> None:
    answer = await ask(server.app, "GET", path)
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/help/", "/login/", "/no-such-page/"])
async def test_a_call_by_key_does_not_wait_for_many_pages_of_strangers(server: InProcessServer, path: str) -> None:
    hamlet = await server.add_person("hamlet")
    answered: list[str] = []

    async def get(path: str, who: Headers) -> None:
        await ask(server.app, "GET", path, who)
        answered.append(path)

    pages = [asyncio.create_task(get(path, {})) for _ in range(300)]
    await asyncio.sleep(0)
    await get("/api/v1/users/me", by_key(hamlet.auth))
    before = len(answered)
    await asyncio.gather(*pages)
    assert before < 150
