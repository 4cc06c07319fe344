"""The bytes of uploaded files: received, read and removed a chunk at a time, so that nobody waits long for the
writer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import final

from keybearer.errors import StorageError
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import CapReached, NoSuchFile, Refused
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.messaging.uploads import CHUNK_SIZE, MAX_SIZE, MAX_SIZE_MIB, Upload
from keybearer.server.services.background import every, repeat
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import upload_contents

MIB = 1024 * 1024
SHARE_OF_ONE = 10
"""The part of the quota that one account may use: a tenth."""

UNFINISHED_LIVES = timedelta(hours=1)
"""How long an unfinished content is kept. A request to upload one has five minutes."""

SWEEP_EVERY = 600.0
SWEPT_AT_ONCE = 100
REMOVED_AT_ONCE = 4
"""Chunks that one transaction removes."""

PAUSE = 0.02
"""Seconds between two transactions of the sweep, in which writers of other processes get their turn."""


@final
class IncomingContent:
    """The content of a file that the caller sends.

    All chunks but the last are written while they arrive, and nobody sees them. The last chunk is written by `finish`,
    in the transaction that makes the file visible. A refusal, such as that of the quota, waits until then, because a
    client that is still sending would not read it.
    """

    def __init__(self, context: Context, caller: Caller, announced: int | None) -> None:
        """`announced` is how many bytes the request states that it has. There must be room for that many."""
        self.size = 0
        self._context = context
        self._caller = caller
        self._reserved = MAX_SIZE if announced is None else min(announced, MAX_SIZE)
        self._refusal: Refused | None = None
        self._id: int | None = None
        self._chunks = 0
        self._unwritten = bytearray()

    async def write(self, content: bytes) -> None:
        """Receive more of the content. Raises StorageError."""
        self.size += len(content)
        if self._refusal is None and self.size > MAX_SIZE:
            self._refusal = Refused(f"Uploaded file is larger than the allowed limit of {MAX_SIZE_MIB} MiB")
        if self._refusal is not None:
            self._unwritten.clear()
            return
        self._unwritten += content
        while len(self._unwritten) > CHUNK_SIZE and self._refusal is None:
            await self._write_chunk(bytes(self._unwritten[:CHUNK_SIZE]))
            del self._unwritten[:CHUNK_SIZE]

    async def _write_chunk(self, content: bytes) -> None:
        if self._id is None:
            try:
                await self.check_room_for_all(self._reserved)
                async with self._context.change(self._caller) as change:
                    self._id = await self._begin_content(change, self._reserved)
            except Refused as refusal:
                self._refusal = refusal
                return
        async with self._context.database.write() as connection:
            await upload_contents.add_chunk(connection, self._id, self._chunks, content)
        self._chunks += 1

    async def check_room_for_all(self, size: int) -> None:
        """Raise CapReached if the whole server has no room for that many more bytes. It adds up all files."""
        async with self._context.reading() as connection:
            _check_room(self._context, await upload_contents.size_of_all(connection), size)

    async def _begin_content(self, change: Change, size: int) -> int:
        whose = change.actor.account.person_id
        await take_turn(change.connection, f"uploads:{whose}")  # otherwise two would both get the last room
        used = await upload_contents.size_of(change.connection, whose)
        _check_room(self._context, used, size, share=SHARE_OF_ONE)
        return await upload_contents.begin(change.connection, change.actor.id, size=size, at=change.now)

    async def check(self) -> None:
        """Raise the error that refuses the content before it is finished, if there is one."""
        if self._refusal is None and self._id is None:
            await self.check_room_for_all(self.size)
        if self._refusal is not None:
            raise self._refusal

    async def finish(self, change: Change, upload_id: int) -> None:
        """Write the last chunk, and make the content that of an upload of the actor. Raises Refused."""
        if self._id is None:
            self._id = await self._begin_content(change, self.size)
        if not await upload_contents.finish(change.connection, self._id, upload_id, self.size):
            raise Refused("The upload took too long. Send the file again.")
        if self._unwritten:
            await upload_contents.add_chunk(change.connection, self._id, self._chunks, bytes(self._unwritten))

    async def discard(self) -> None:
        """Remove what was written of it, unless it was finished. What cannot be removed now is swept later."""
        self._unwritten.clear()
        if self._id is not None:
            with contextlib.suppress(StorageError):
                await remove(self._context, self._id)


def _check_room(context: Context, used: int, size: int, *, share: int = 1) -> None:
    """Raise CapReached, with Zulip's words, if there is no room for a file of this size."""
    if used + size > context.settings.upload_quota * MIB // share:
        raise CapReached(Cap.UPLOADS, code="REALM_UPLOAD_QUOTA")


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file, to be read."""

    context: Context
    content_id: int
    size: int

    async def read(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` to `end`, in pieces. Each piece is a transaction of its own, so a slow reader holds
        none.

        Raises NoSuchFile if the file is deleted in the meantime.
        """
        for number in range(start // CHUNK_SIZE, -(-end // CHUNK_SIZE)):
            async with self.context.reading() as connection:
                chunk = await upload_contents.read_chunk(connection, self.content_id, number)
            if chunk is None:
                raise NoSuchFile("Invalid file")
            first = number * CHUNK_SIZE
            yield chunk[max(0, start - first) : end - first]


async def find(context: Context, upload: Upload) -> Content:
    """The content of a file. Raises NoSuchFile if there is none."""
    async with context.reading() as connection:
        content_id = await upload_contents.find(connection, upload.id)
    if content_id is None:
        raise NoSuchFile("Invalid file")
    return Content(context, content_id, upload.size)


async def remove(context: Context, content_id: int) -> None:
    """Remove a content that belongs to no upload, a few chunks at a time."""
    is_gone = False
    while not is_gone:
        async with context.database.write() as connection:
            is_gone = await upload_contents.remove(connection, content_id, chunks=REMOVED_AT_ONCE)


async def sweep(context: Context) -> None:
    """Remove contents that nobody finished within an hour, and remaining contents of deleted files."""
    found = SWEPT_AT_ONCE
    while found == SWEPT_AT_ONCE:
        before = context.clock() - UNFINISHED_LIVES
        async with context.reading() as connection:
            abandoned = await upload_contents.find_abandoned(connection, before, limit=SWEPT_AT_ONCE)
        for content_id in abandoned:
            await remove(context, content_id)
            await asyncio.sleep(PAUSE)
        found = len(abandoned)


async def sweep_regularly(context: Context) -> None:
    """Sweep every ten minutes until cancelled."""
    await repeat(partial(sweep, context), wait=every(SWEEP_EVERY), what="the sweep of uploads")
