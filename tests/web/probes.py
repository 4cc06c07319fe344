"""Looks at the site from outside: a path for each page, everything in the database, the headers of every answer."""

from __future__ import annotations

import re

import httpx2
from sqlalchemy import select

from keybearer.server.http.routing import Route
from keybearer.server.services.context import Context
from keybearer.server.storage.tables import metadata
from keybearer.server.web.headers import CONTENT_SECURITY_POLICY
from tests.server_process import RunningServer
from tests.web.organization import Organization


def path_of(page: Route, organization: Organization) -> str:
    """A path of the page, with things that exist."""
    account_id = organization.member.id if page.path.startswith("/organization") else organization.owner.id
    values = {"bot_id": organization.bot.id, "account_id": account_id, "topic": "api-keys", "token": "no-such-token"}
    key = organization.key if page.path.startswith("/settings/account/") else organization.bot_key
    return page.path.format(
        **values, key_id=key.id, message_id=organization.message_id, session_id=1, device_id=1, invitation_id=1
    )


def rows(server: RunningServer) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the database except when sessions were last seen, and the mails, which are sent by themselves."""

    async def read(context: Context) -> dict[str, list[tuple[object, ...]]]:
        async with context.reading() as connection:
            found = {}
            for table in (each for each in metadata.sorted_tables if each.name != "mails"):
                columns = [column for column in table.c if column.name != "last_seen_at"]
                everything = [tuple(row) for row in await connection.execute(select(*columns))]
                found[table.name] = sorted((row for row in everything if "call:refused" not in row), key=repr)
            return found

    return server.on_data(read)


def as_read(page: str) -> str:
    """A page without its tags, because a key is shown in groups there."""
    return re.sub(r"<[^>]*>", "", page)


def check_headers(answer: httpx2.Response) -> None:
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
