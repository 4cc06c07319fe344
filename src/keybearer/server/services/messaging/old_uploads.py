"""Files of version 0.1.0, which were in the data directory. They are moved into the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from keybearer.errors import FileError
from keybearer.server.domain.messaging.uploads import CHUNK_SIZE, Upload
from keybearer.server.services.background import SLICE
from keybearer.server.services.context import Context
from keybearer.server.services.messaging.upload_contents import Content, remove
from keybearer.server.storage.messaging import upload_contents

DIRECTORY = "uploads"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MovedFiles:
    """The result of `move_into_database`: how many files it wrote to the database, removed from the directory, and left
    there.

    It leaves a file that differs from its record in the database, or that belongs to no upload.
    """

    written: int = 0
    removed: int = 0
    left: int = 0


async def move_into_database(context: Context) -> MovedFiles:
    """Move the files in this machine's data directory into the database.

    A file is removed only after the database has returned the same bytes, and the directory once it is empty. This may
    be interrupted and repeated. Raises FileError if a file cannot be read.
    """
    directory = context.settings.data_dir / DIRECTORY
    if not directory.is_dir():
        return MovedFiles()
    try:
        written = await _write_all(context, directory)
        removed = await _remove_all(context, directory)
        left = await asyncio.to_thread(_clear, directory)
    except OSError as error:
        raise FileError(f"{error.filename} cannot be moved into the database: {error.strerror}") from None
    _log.info("wrote %d uploaded files to the database, and removed %d from %s", written, removed, directory)
    if left:
        _log.warning(
            "%d files in %s belong to no upload, or differ from it: look at them, and delete them", left, directory
        )
    return MovedFiles(written, removed, left)


async def _write_all(context: Context, directory: Path) -> int:
    written, last, found = 0, 0, SLICE
    while found == SLICE:
        async with context.reading() as connection:
            some = await upload_contents.find_without(connection, last, limit=SLICE)
        for upload in some:
            place = directory / upload.path
            if place.is_file() and place.stat().st_size == upload.size:
                await _write(context, upload, place)
                written += 1
            last = upload.id
        found = len(some)
    return written


async def _write(context: Context, upload: Upload, place: Path) -> None:
    async with context.change(None) as change:
        content_id = await upload_contents.begin(change.connection, upload.account_id, size=upload.size, at=change.now)
    with place.open("rb") as file:
        number = 0
        while piece := await asyncio.to_thread(file.read, CHUNK_SIZE):
            async with context.database.write() as connection:
                await upload_contents.add_chunk(connection, content_id, number, piece)
            number += 1
    async with context.database.write() as connection:
        is_finished = await upload_contents.finish(connection, content_id, upload.id, upload.size)
    if not is_finished:  # another machine has the same file and was faster
        await remove(context, content_id)


async def _remove_all(context: Context, directory: Path) -> int:
    removed, last, found = 0, 0, SLICE
    while found == SLICE:
        async with context.reading() as connection:
            some = await upload_contents.find_with(connection, last, limit=SLICE)
        for upload, content_id in some:
            place = directory / upload.path
            if place.is_file() and await _is_same(Content(context, content_id, upload.size), place):
                await asyncio.to_thread(place.unlink)
                removed += 1
            last = upload.id
        found = len(some)
    return removed


async def _is_same(content: Content, place: Path) -> bool:
    """Whether the file has exactly the bytes that the database returns."""
    with place.open("rb") as file:
        async for piece in content.read(0, content.size):
            if await asyncio.to_thread(file.read, len(piece)) != piece:
                return False
        return not file.read(1)


def _clear(directory: Path) -> int:
    """Remove the empty directories. Returns how many files are in the others."""
    left = 0
    for path in sorted(directory.rglob("*"), reverse=True):  # a directory comes after its content
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                path.rmdir()
        else:
            left += 1
    if not left:
        directory.rmdir()
    return left
