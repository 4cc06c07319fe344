"""The bytes of uploaded files, as chunks of at most 256 kB. Each transaction writes or reads only a few."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.messaging.uploads import Upload
from keybearer.server.storage.accounts import is_of_person
from keybearer.server.storage.dialect import take_turn, unheld
from keybearer.server.storage.messaging.tables import upload_chunks, upload_contents, uploads
from keybearer.server.storage.messaging.uploads import from_row

LEAST_TAKEN = 8192
"""Bytes that even an empty file counts for, because it has rows and index entries."""

_TAKEN = func.sum(case((upload_contents.c.size < LEAST_TAKEN, LEAST_TAKEN), else_=upload_contents.c.size))


async def size_of_all(connection: AsyncConnection) -> int:
    """The size of all contents in bytes, including those that are still being received."""
    return int((await connection.execute(select(_TAKEN))).scalar_one() or 0)


async def size_of(connection: AsyncConnection, account_id: int) -> int:
    """The size of the contents of an account and its bots in bytes, including those that are still being received."""
    own = select(_TAKEN).where(is_of_person(upload_contents.c.account_id, account_id))
    return int((await connection.execute(own)).scalar_one() or 0)


async def begin(connection: AsyncConnection, account_id: int, *, size: int, at: datetime) -> int:
    """Record a content that nobody sees yet, with its size as far as it is known. Returns its id."""
    values = {"account_id": account_id, "size": size, "begun_at": at}
    added = await connection.execute(insert(upload_contents).values(**values).returning(upload_contents.c.id))
    return int(added.scalar_one())


async def add_chunk(connection: AsyncConnection, content_id: int, number: int, content: bytes) -> None:
    """Add the chunk with that number, counted from 0. All chunks except the last have 256 kB."""
    await connection.execute(insert(upload_chunks).values(content_id=content_id, number=number, bytes=content))


async def finish(connection: AsyncConnection, content_id: int, upload_id: int, size: int) -> bool:
    """Make this the content of an upload. False if it was deleted in the meantime, or if the upload already has one."""
    await take_turn(connection, f"content of upload {upload_id}")
    other = select(upload_contents.c.id).where(upload_contents.c.upload_id == upload_id)
    finished = await connection.execute(
        update(upload_contents)
        .where(upload_contents.c.id == content_id, upload_contents.c.upload_id.is_(None), ~other.exists())
        .values(upload_id=upload_id, size=size)
        .returning(upload_contents.c.id)
    )
    return finished.first() is not None


async def find(connection: AsyncConnection, upload_id: int) -> int | None:
    """The id of an upload's content. None if it has none."""
    found = await connection.execute(select(upload_contents.c.id).where(upload_contents.c.upload_id == upload_id))
    content_id: int | None = found.scalar_one_or_none()
    return content_id


async def read_chunk(connection: AsyncConnection, content_id: int, number: int) -> bytes | None:
    """One chunk. None if there is no chunk with that number."""
    at = (upload_chunks.c.content_id == content_id, upload_chunks.c.number == number)
    content: bytes | None = (await connection.execute(select(upload_chunks.c.bytes).where(*at))).scalar_one_or_none()
    return content


async def find_abandoned(connection: AsyncConnection, before: datetime, *, limit: int) -> Sequence[int]:
    """The ids of contents without an upload that were begun before that moment, oldest first."""
    abandoned = (
        select(upload_contents.c.id)
        .where(upload_contents.c.upload_id.is_(None), upload_contents.c.begun_at < before)
        .order_by(upload_contents.c.begun_at)
        .limit(limit)
    )
    return (await connection.execute(abandoned)).scalars().all()


async def remove(connection: AsyncConnection, content_id: int, *, chunks: int) -> bool:
    """Remove some chunks of a content without an upload, up to a limit. The content itself is removed with the last of
    them.

    False if chunks are left. A content that belongs to an upload is kept, and so is one that is just being completed.
    """
    abandoned = select(upload_contents.c.id).where(
        upload_contents.c.id == content_id, upload_contents.c.upload_id.is_(None)
    )
    if (await connection.execute(unheld(abandoned))).first() is None:
        return True
    own = upload_chunks.c.content_id == content_id
    some = select(upload_chunks.c.number).where(own).limit(chunks)
    removed = await connection.execute(
        delete(upload_chunks).where(own, upload_chunks.c.number.in_(some)).returning(upload_chunks.c.number)
    )
    if len(removed.all()) == chunks:
        return False
    await connection.execute(delete(upload_contents).where(upload_contents.c.id == content_id))
    return True


async def find_without(connection: AsyncConnection, after: int, *, limit: int) -> Sequence[Upload]:
    """Uploads without a content and with a larger id than this, by id."""
    content = select(upload_contents.c.id).where(upload_contents.c.upload_id == uploads.c.id)
    without = select(uploads).where(uploads.c.id > after, ~content.exists()).order_by(uploads.c.id).limit(limit)
    return [from_row(row) for row in await connection.execute(without)]


async def find_with(connection: AsyncConnection, after: int, *, limit: int) -> Sequence[tuple[Upload, int]]:
    """Uploads with a content and with a larger id than this, by id. Each comes with the id of its content."""
    statement = (
        select(uploads, upload_contents.c.id.label("content_id"))
        .join_from(uploads, upload_contents, upload_contents.c.upload_id == uploads.c.id)
        .where(uploads.c.id > after)
        .order_by(uploads.c.id)
        .limit(limit)
    )
    found = []
    for row in await connection.execute(statement):
        values = dict(row._mapping)
        content_id = values.pop("content_id")
        found.append((Upload(**values), content_id))
    return found
