"""A database that fails: every door answers 503 in its own form, and the log reports when that begins and ends."""

from __future__ import annotations

import logging
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from keybearer.secret import Secret
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.storage import links
from keybearer.server.storage.tables import realms
from tests.asgi import FORM_TYPE, Answer, Headers, ask, by_key, by_session, form
from tests.databases import PostgreSQLServer
from tests.in_process import PASSWORD, InProcessServer

ANONYMOUS = {"cookie": "csrftoken=one-of-ours", "x-csrftoken": "one-of-ours"}


def logged(caplog: pytest.LogCaptureFixture) -> list[int]:
    """The levels of what the server itself has logged as an error."""
    found = [record for record in caplog.records if record.name.startswith("keybearer")]
    return [record.levelno for record in found if record.levelno >= logging.WARNING]


@contextmanager
def outage(request: pytest.FixtureRequest, server: InProcessServer) -> Iterator[None]:
    """The server's database fails within the block: PostgreSQL refuses connections, an SQLite file has lost its
    tables.
    """
    url = server.settings.database_url
    assert url is not None
    if url.startswith("postgresql"):
        postgresql: PostgreSQLServer = request.getfixturevalue("postgresql_server")
        postgresql.cut_off(url)
        try:
            yield
        finally:
            postgresql.let_in(url)
        return
    rename_tables(url, "{0}", "{0}_elsewhere")
    try:
        yield
    finally:
        rename_tables(url, "{0}_elsewhere", "{0}")


def rename_tables(url: str, old: str, new: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        for table in ("accounts", "realms"):
            connection.execute(f"ALTER TABLE {old.format(table)} RENAME TO {new.format(table)}")
        connection.commit()


NAME = {"full_name": "Another Name"}
SIGN_IN = {"username": "hamlet@example.com", "password": PASSWORD}
CALLS: list[tuple[str, str, str, dict[str, str]]] = [
    ("key", "GET", "/api/v1/users/me", {}),
    ("key", "PATCH", "/api/v1/settings", NAME),
    ("nobody", "POST", "/api/v1/fetch_api_key", SIGN_IN),
    ("session", "GET", "/json/users/me", {}),
    ("session", "PATCH", "/json/settings", NAME),
    ("session", "GET", "/settings/account/", {}),
    ("session", "POST", "/settings/account/name/", NAME),
    ("nobody", "GET", "/login/", {}),
    ("nobody", "POST", "/login/", SIGN_IN),
    ("key", "GET", "/user_uploads/1/directory/file.txt", {}),
    ("session", "GET", "/user_uploads/1/directory/file.txt", {}),
]


async def call(server: InProcessServer, who: Headers, method: str, path: str, fields: dict[str, str]) -> Answer:
    return await ask(server.app, method, path, {**who, "content-type": FORM_TYPE}, form(fields))


def check_is_unavailable(server: InProcessServer, path: str, answer: Answer) -> None:
    assert answer.status == 503, (path, answer.text)
    assert int(answer.headers["retry-after"]) > 0, path
    inside = (
        str(server.settings.data_dir),
        str(server.settings.database_url),
        "keybearer.db",
        "no such table",
        "SELECT",
    )
    assert not [word for word in inside if word in answer.text], (path, answer.text)


async def test_every_door_says_503_and_the_log_says_so_once(
    server_on_each: InProcessServer, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    who = {
        "key": by_key(hamlet.auth), "session": by_session(await server.signed_in(hamlet)), "nobody": ANONYMOUS,
    }  # fmt: skip
    for _ in range(2):
        with outage(request, server):
            for way, method, path, fields in CALLS * 2:
                check_is_unavailable(server, path, await call(server, who[way], method, path, fields))
        for way, method, path, fields in CALLS:
            assert (await call(server, who[way], method, path, fields)).status in (200, 302, 303, 404), path
    # Two failures within ten seconds are one outage.
    assert logged(caplog) == [logging.ERROR]
    assert not [record for record in caplog.records if record.exc_info]


@contextmanager
def missing_devices(request: pytest.FixtureRequest, server: InProcessServer) -> Iterator[None]:
    """The table of devices has another name within the block, so callers are admitted and only handlers fail."""
    url = str(server.settings.database_url)

    def rename(old: str, new: str) -> None:
        statement = f"ALTER TABLE {old} RENAME TO {new}"
        if url.startswith("postgresql"):
            postgresql: PostgreSQLServer = request.getfixturevalue("postgresql_server")
            postgresql.execute(statement, url=url)
        else:
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                connection.execute(statement)

    rename("devices", "devices_elsewhere")
    try:
        yield
    finally:
        rename("devices_elsewhere", "devices")


async def test_a_missing_table_is_an_outage_on_both_databases(
    server_on_each: InProcessServer, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    browser = by_session(await server.signed_in(hamlet))
    calls: list[tuple[Headers, str, str]] = [
        (by_key(hamlet.auth), "POST", "/api/v1/register_client_device"),
        (browser, "GET", "/settings/sessions/"),
    ]
    with missing_devices(request, server):
        for who, method, path in calls * 2:
            check_is_unavailable(server, path, await call(server, who, method, path, {}))
    for who, method, path in calls:
        assert (await call(server, who, method, path, {})).status == 200, path
    assert logged(caplog) == [logging.ERROR]
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_page_that_could_not_be_shown_links_to_itself(
    server: InProcessServer, request: pytest.FixtureRequest
) -> None:
    with outage(request, server):
        asked = await call(server, ANONYMOUS, "GET", "/login/?next=/settings/bots/&x=%22", {})
        elsewhere = await call(server, ANONYMOUS, "GET", "//example.com/", {})
        sent = await call(server, ANONYMOUS, "POST", "/login/", SIGN_IN)
    assert 'href="/login/?next=/settings/bots/&amp;x=%22">Try again</a>' in asked.text
    assert "//example.com" not in elsewhere.text
    assert "Try again</a>" not in sent.text


@contextmanager
def full_disk() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


CHANGES = [(way, method, path, fields) for way, method, path, fields in CALLS if method != "GET"]


async def test_a_form_on_a_full_disk_is_answered_503_and_not_refused(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    who = {
        "key": by_key(hamlet.auth), "session": by_session(await server.signed_in(hamlet)), "nobody": ANONYMOUS,
    }  # fmt: skip
    for way, method, path, fields in CHANGES:
        with full_disk():
            answer = await call(server, who[way], method, path, fields)
        check_is_unavailable(server, path, answer)
    assert (await server.known(hamlet.email)).account == hamlet.account


async def test_a_full_disk_that_can_still_be_read_is_one_outage_in_the_log(
    server: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    hamlet = await server.add_person("hamlet")
    browser = by_session(await server.signed_in(hamlet))

    async def rename(name: str) -> int:
        return (await call(server, browser, "POST", "/settings/account/name/", {"full_name": name})).status

    for _ in range(3):
        with full_disk():
            assert await rename("Another Name") == 503
            assert (await call(server, browser, "GET", "/settings/account/", {})).status == 200
            assert await rename("*") == 400
    assert logged(caplog) == [logging.ERROR]
    assert await rename("Another Name") == 303


async def test_a_set_up_on_a_full_disk_is_answered_503_and_can_be_tried_again(server: InProcessServer) -> None:
    token = Secret("a-token-of-the-set-up")
    async with server.context.change(None) as change:
        await change.connection.execute(realms.delete())
        await links.add(change.connection, token, LinkPurpose.SETUP, at=change.now)
    fields = {
        "organization": "Example", "site": server.site, "email": "olive@example.com", "full_name": "Olive",
        "password": PASSWORD,
    }  # fmt: skip
    with full_disk():
        answer = await call(server, ANONYMOUS, "POST", f"/setup/{token.reveal()}/", fields)
    check_is_unavailable(server, "/setup/", answer)
    assert (await call(server, ANONYMOUS, "POST", f"/setup/{token.reveal()}/", fields)).status == 303
