"""The files of an account, with the messages that link to them, as rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.limits import MOST_ENTRIES
from keybearer.server.domain.messaging.attachments import Attachment, Attachments
from keybearer.server.domain.messaging.uploads import Upload
from keybearer.server.storage.dialect import among
from keybearer.server.storage.messaging.tables import message_uploads, messages, uploads
from keybearer.server.storage.messaging.uploads import from_row
from keybearer.server.storage.visibility import sees_message


async def find(
    connection: AsyncConnection, account: Account, *, upload_ids: Collection[int] | None = None
) -> Attachments:
    """The account's files (or those with these ids), by id: the newest files, with the newest messages that it sees."""
    wanted = select(uploads).where(uploads.c.account_id == account.id)
    if upload_ids is not None:
        wanted = wanted.where(among(uploads.c.id, upload_ids))
    rows = await connection.execute(wanted.order_by(uploads.c.id.desc()).limit(MOST_ENTRIES))
    found = [from_row(row) for row in rows][::-1]
    linking = await connection.execute(
        select(message_uploads.c.upload_id, messages.c.id, messages.c.sent_at)
        .join(messages, messages.c.id == message_uploads.c.message_id)
        .where(among(message_uploads.c.upload_id, [each.id for each in found]), sees_message(account))
        .order_by(messages.c.id.desc())
        .limit(MOST_ENTRIES)
    )
    links: dict[int, list[tuple[int, datetime]]] = {each.id: [] for each in found}
    for row in linking:
        links[row.upload_id].append((row.id, row.sent_at))
    return Attachments([Attachment(each, links[each.id][::-1]) for each in found], await size(connection))


async def size(connection: AsyncConnection) -> int:
    """The size of all files together, in bytes."""
    return int((await connection.execute(select(func.coalesce(func.sum(uploads.c.size), 0)))).scalar_one())


async def remove(connection: AsyncConnection, account_id: int, upload_id: int) -> Upload | None:
    """Delete the row of one of the account's own files. None if it has no such file."""
    result = await connection.execute(
        delete(uploads).where(uploads.c.id == upload_id, uploads.c.account_id == account_id).returning(uploads)
    )
    row = result.first()
    return None if row is None else from_row(row)
