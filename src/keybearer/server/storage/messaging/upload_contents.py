"""What uploaded files consist of, as chunks of at most 256 kB: a transaction writes or reads few of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.messaging.uploads import Upload
from keybearer.server.storage.dialect import take_turn, unheld
from keybearer.server.storage.messaging.tables import upload_chunks, upload_contents, uploads
from keybearer.server.storage.messaging.uploads import from_row

LEAST_TAKEN = 8192
"""Bytes that even an empty file counts for: it has rows and entries in indexes."""

_TAKEN = func.sum(case((upload_contents.c.size < LEAST_TAKEN, LEAST_TAKEN), else_=upload_contents.c.size))


async def size_of_all(connection: AsyncConnection) -> int:
    """How many bytes all contents take, with those that are still being received."""
    return int((await connection.execute(select(_TAKEN))).scalar_one() or 0)


async def size_of(connection: AsyncConnection, account_id: int) -> int:
    """How many bytes an account's contents take, with those that are still being received."""
    own = select(_TAKEN).where(upload_contents.c.account_id == account_id)
    return int((await connection.execute(own)).scalar_one() or 0)


async def begin(connection: AsyncConnection, account_id: int, *, size: int, at: datetime) -> int:
    """Note a content that nobody sees yet, of so many bytes as far as is known; returns its id."""
    values = {"account_id": account_id, "size": size, "begun_at": at}
    added = await connection.execute(insert(upload_contents).values(**values).returning(upload_contents.c.id))
    return int(added.scalar_one())


async def add_chunk(connection: AsyncConnection, content_id: int, number: int, content: bytes) -> None:
    """Add the chunk of that number, from 0 on. All but the last have 256 kB."""
    await connection.execute(insert(upload_chunks).values(content_id=content_id, number=number, bytes=content))


async def finish(connection: AsyncConnection, content_id: int, upload_id: int, size: int) -> bool:
    """Make it the content of an upload; False where it was swept meanwhile, or the upload has one."""
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
    """The id of an upload's content; None where there is none."""
    found = await connection.execute(select(upload_contents.c.id).where(upload_contents.c.upload_id == upload_id))
    content_id: int | None = found.scalar_one_or_none()
    return content_id


async def read_chunk(connection: AsyncConnection, content_id: int, number: int) -> bytes | None:
    """One chunk; None where there is none of that number."""
    at = (upload_chunks.c.content_id == content_id, upload_chunks.c.number == number)
    content: bytes | None = (await connection.execute(select(upload_chunks.c.bytes).where(*at))).scalar_one_or_none()
    return content


async def find_abandoned(connection: AsyncConnection, before: datetime, *, limit: int) -> Sequence[int]:
    """Contents without an upload that were begun before that moment: their ids, the oldest first."""
    abandoned = (
        select(upload_contents.c.id)
        .where(upload_contents.c.upload_id.is_(None), upload_contents.c.begun_at < before)
        .order_by(upload_contents.c.begun_at)
        .limit(limit)
    )
    return (await connection.execute(abandoned)).scalars().all()


async def remove(connection: AsyncConnection, content_id: int, *, chunks: int) -> bool:
    """Remove at most so many chunks of a content without an upload, and the content with the last of them.

    False where chunks are left. A content that belongs to an upload stays, and so does one that is just being finished.
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
    """Uploads that have no content, with ids above that, by id."""
    content = select(upload_contents.c.id).where(upload_contents.c.upload_id == uploads.c.id)
    without = select(uploads).where(uploads.c.id > after, ~content.exists()).order_by(uploads.c.id).limit(limit)
    return [from_row(row) for row in await connection.execute(without)]


async def find_with(connection: AsyncConnection, after: int, *, limit: int) -> Sequence[tuple[Upload, int]]:
    """Uploads that have a content, with ids above that, by id; each with the id of its content."""
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
