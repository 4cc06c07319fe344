"""Uploaded files as rows. Their bytes are in `upload_contents.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.messaging.uploads import Upload
from keybearer.server.storage.dialect import among, insert_missing
from keybearer.server.storage.messaging.tables import message_uploads, uploads
from keybearer.server.storage.visibility import sees_file


def from_row(row: Row[Any]) -> Upload:
    """The value of a row of the table."""
    return Upload(**row._mapping)


async def add(
    connection: AsyncConnection, *, path: str, account_id: int, name: str, content_type: str, size: int, at: datetime
) -> Upload:
    """Record a file that an account has uploaded."""
    row = await connection.execute(
        insert(uploads)
        .values(path=path, account_id=account_id, name=name, content_type=content_type, size=size, created_at=at)
        .returning(uploads)
    )
    return from_row(row.one())


async def find(connection: AsyncConnection, path: str) -> Upload | None:
    """The file with that path. Permission to see it is not checked."""
    row = (await connection.execute(select(uploads).where(uploads.c.path == path))).first()
    return None if row is None else from_row(row)


async def find_seen(connection: AsyncConnection, viewer: Account, path: str) -> Upload | None:
    """The file with that path. None if the viewer may not see it."""
    row = (await connection.execute(select(uploads).where(uploads.c.path == path, sees_file(viewer)))).first()
    return None if row is None else from_row(row)


async def find_ids(connection: AsyncConnection, paths: Iterable[str], account_id: int) -> Sequence[int]:
    """Which of these paths are files that the account may share, which are its own."""
    wanted = sorted(set(paths))
    if not wanted:
        return []
    rows = await connection.execute(
        select(uploads.c.id).where(among(uploads.c.path, wanted), uploads.c.account_id == account_id)
    )
    return [row.id for row in rows]


async def attach(connection: AsyncConnection, message_id: int, upload_ids: Iterable[int]) -> None:
    """Let everybody who may see a message see the files that it links to."""
    rows = [{"message_id": message_id, "upload_id": upload_id} for upload_id in upload_ids]
    await insert_missing(connection, message_uploads, rows, key=["message_id", "upload_id"])


async def detach_all(connection: AsyncConnection, message_id: int) -> None:
    """Remove all files from a message."""
    await connection.execute(delete(message_uploads).where(message_uploads.c.message_id == message_id))
