"""Mails of a server whose mail server cannot be reached: they wait in its database, sealed."""

from __future__ import annotations

import re
from datetime import timedelta

from keybearer.server.services.context import Context
from keybearer.server.storage import mails
from tests.server_process import RunningServer

UNREACHABLE = {"KEYBEARER_SMTP_URL": "smtp://127.0.0.1:1"}
"""The settings of a server that has a mail server but never reaches it."""


def link_in_mail_to(server: RunningServer, recipient: str, path: str) -> str:
    """The link below `path` in the newest mail to somebody that contains one."""

    async def read(context: Context) -> list[str]:
        async with context.reading() as connection:
            due = await mails.find_due(connection, context.clock() + timedelta(days=1), limit=1000)
        return [mail.opened(context.ring).body for mail in due if mail.recipient == recipient]

    pattern = re.compile(rf"{re.escape(server.site + path)}[\w-]+/")
    found = [link[0] for text in server.on_data(read) if (link := pattern.search(text))]
    assert found, f"no mail to {recipient} has a link to {path}"
    return found[-1]
