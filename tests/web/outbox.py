"""Mails: where no mail server is set, they stay in the server's database."""

from __future__ import annotations

import re
import time

from keybearer.server.services import outbox
from tests.server_process import RunningServer

COMES_WITHIN = 15.0


def link_in_mail_to(server: RunningServer, recipient: str, path: str) -> str:
    """The link below `path` in the newest mail to somebody that has one; waits for it to come."""
    pattern = re.compile(rf"{re.escape(server.site + path)}[\w-]+/")
    deadline = time.monotonic() + COMES_WITHIN
    while time.monotonic() < deadline:
        mails = server.on_data(lambda context: outbox.find(context, limit=1000))
        texts = [mail.text or "" for mail in mails if mail.recipient == recipient]
        found = [link[0] for text in texts if (link := pattern.search(text))]
        if found:
            return found[-1]
        time.sleep(0.1)
    raise AssertionError(f"no mail to {recipient} has a link to {path}")
