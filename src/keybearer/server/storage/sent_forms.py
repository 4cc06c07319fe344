"""Forms that were carried out, as rows: the digests of their one-time tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.forms import LIFETIME
from keybearer.server.storage.dialect import delete_some, insert_or_ignore
from keybearer.server.storage.tables import sent_forms


async def add(connection: AsyncConnection, digest: bytes, at: datetime) -> bool:
    """Record that a form is carried out. False if it was carried out before. Of several at once, one is the first."""
    return await insert_or_ignore(connection, sent_forms, {"digest": digest, "sent_at": at}, key=["digest"])


async def remove_old(connection: AsyncConnection, now: datetime, *, limit: int) -> int:
    """Delete records of forms that are too old to be sent again, up to a limit. Returns how many."""
    return await delete_some(connection, sent_forms, sent_forms.c.sent_at <= now - LIFETIME, limit=limit)
