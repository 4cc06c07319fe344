"""Attachments: an account's own files and the messages that link to them, in answers and in events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from keybearer.server.domain.event_log import OPEN_TO_ALL, Event, without_flags
from keybearer.server.domain.messaging.uploads import Upload


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file, with the ids and the times of the messages that link to it."""

    upload: Upload
    links: Sequence[tuple[int, datetime]] = ()


@dataclass(frozen=True, slots=True)
class Attachments:
    """The files of an account, and the total size in bytes of the organization's files."""

    found: Sequence[Attachment]
    used: int


def attachment_fields(attachment: Attachment) -> dict[str, object]:
    """One of the account's own files on the wire. Its times are in milliseconds there."""
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
    """The event for a file that was uploaded (`op` is `add`), or that other messages now link to (`update`)."""
    return _event(op, account_id, attachment_fields(attachment), used)


def removed(account_id: int, upload_id: int, *, used: int) -> Event:
    """The event for a file that was deleted."""
    return _event("remove", account_id, {"id": upload_id}, used)


def _event(op: str, account_id: int, attachment: dict[str, object], used: int) -> Event:
    fields = {"type": "attachment", "op": op, "attachment": attachment, "upload_space_used": used}
    return Event("attachment", fields, OPEN_TO_ALL, without_flags([account_id]))
