"""Mails: where no SMTP server is set, the server leaves them in a directory."""

from __future__ import annotations

import email
import email.policy
import re
import time

from tests.server_process import RunningServer

COMES_WITHIN = 15.0


def link_in_mail_to(server: RunningServer, recipient: str, path: str) -> str:
    """The link below `path` in the newest mail to somebody that has one; waits for it to come."""
    pattern = re.compile(rf"{re.escape(server.site + path)}[\w-]+/")
    deadline = time.monotonic() + COMES_WITHIN
    while time.monotonic() < deadline:
        found = [link[0] for text in _mails_to(server, recipient) if (link := pattern.search(text))]
        if found:
            return found[-1]
        time.sleep(0.1)
    raise AssertionError(f"no mail to {recipient} has a link to {path}")


def _mails_to(server: RunningServer, recipient: str) -> list[str]:
    files = sorted((server.data_dir / "outbox").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    mails = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]
    return [mail.get_content() for mail in mails if mail["To"] == recipient]
