"""Attachments: an account's own files with the messages that link to them, in answers and in events alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, without_flags
from keybearer.server.domain.messaging.uploads import Upload


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file, and the messages that link to it: their ids, and when they were sent."""

    upload: Upload
    links: Sequence[tuple[int, datetime]] = ()


@dataclass(frozen=True, slots=True)
class Attachments:
    """The files of an account, and how many bytes the organization's files have together."""

    found: Sequence[Attachment]
    used: int


def attachment_fields(attachment: Attachment) -> dict[str, object]:
    """A file of the account's own on the wire. Times are in milliseconds there."""
    upload = attachment.upload
    return {
        "id": upload.id,
        "name": upload.name,
        "path_id": upload.path,
        "size": upload.size,
        "create_time": _milliseconds(upload.created_at),
        "messages": [{"id": each, "date_sent": _milliseconds(sent_at)} for each, sent_at in attachment.links],
    }


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def changed(op: str, account_id: int, attachment: Attachment, *, used: int) -> Event:
    """A file was uploaded (`op` is `add`), or other messages link to it (`update`)."""
    return _event(op, account_id, attachment_fields(attachment), used)


def removed(account_id: int, upload_id: int, *, used: int) -> Event:
    """A file was deleted."""
    return _event("remove", account_id, {"id": upload_id}, used)


def _event(op: str, account_id: int, attachment: dict[str, object], used: int) -> Event:
    fields = {"type": "attachment", "op": op, "attachment": attachment, "upload_space_used": used}
    return Event("attachment", fields, OPEN_TO_ALL, without_flags([account_id]))
