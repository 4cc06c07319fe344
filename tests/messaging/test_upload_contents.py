"""The bytes of uploaded files are in the database: complete or invisible, counted, swept, served by any
machine.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import NoSuchFile
from keybearer.server.domain.messaging.uploads import CHUNK_SIZE
from keybearer.server.services.messaging import upload_contents
from keybearer.server.services.messaging.upload_contents import SHARE_OF_ONE, UNFINISHED_LIVES, IncomingContent
from keybearer.server.storage.messaging.tables import upload_chunks, uploads
from keybearer.server.storage.messaging.tables import upload_contents as contents
from keybearer.server.storage.tables import accounts
from tests.asgi import Sending, ask, by_key
from tests.in_process import InProcessServer, Known, prepared, serving
from tests.server.test_caps import number_of
from tests.server.test_held_bodies import encoded

CONTENT = random.Random(5).randbytes(3 * CHUNK_SIZE + 17)


@pytest.fixture
async def machine(tmp_path: Path, database_url: str) -> AsyncIterator[InProcessServer]:
    """A machine that serves. The test runs on SQLite and on PostgreSQL."""
    async with serving(prepared(tmp_path / "data", database_url=database_url)) as server:
        yield server


def sending(server: InProcessServer, who: Known, body: bytes, content_type: str) -> Sending:
    headers = {**by_key(who.auth), "content-type": content_type, "content-length": str(len(body))}
    return Sending(server.app, "POST", "/api/v1/user_uploads", headers)


async def upload(server: InProcessServer, who: Known, content: bytes = CONTENT) -> dict[str, Any]:
    answer = await server.client().post("/api/v1/user_uploads", auth=who.auth, files={"f": ("f.bin", content)})
    found: dict[str, Any] = answer.json()
    return found


async def chunk_sizes(server: InProcessServer) -> list[int]:
    async with server.context.reading() as connection:
        sizes = select(func.length(upload_chunks.c.bytes)).order_by(upload_chunks.c.content_id, upload_chunks.c.number)
        return list((await connection.execute(sizes)).scalars())


async def test_a_file_is_stored_in_chunks_and_another_machine_serves_it(
    machine: InProcessServer, tmp_path: Path
) -> None:
    server, hamlet = machine, await machine.add_person("hamlet")
    url = (await upload(server, hamlet))["url"]
    assert await chunk_sizes(server) == [CHUNK_SIZE] * 3 + [17]
    other = prepared(tmp_path / "other", database_url=server.settings.database_url)
    other.secrets_file.write_bytes(server.settings.secrets_file.read_bytes())
    async with serving(other) as second:
        assert (await ask(second.app, "GET", url, by_key(hamlet.auth))).body == CONTENT


async def test_nobody_sees_a_file_before_its_last_byte_and_an_upload_that_breaks_off_leaves_nothing(
    machine: InProcessServer,
) -> None:
    server, hamlet = machine, await machine.add_person("hamlet")
    content_type, body = encoded({}, [("f.bin", CONTENT)])
    cut = sending(server, hamlet, body, content_type)
    await cut.hand_over(body[: 2 * CHUNK_SIZE])
    assert await chunk_sizes(server) == [CHUNK_SIZE]
    assert await number_of(server, uploads) == 0
    await cut.disconnect()
    assert await chunk_sizes(server) == []
    assert await number_of(server, contents) == 0


async def test_an_upload_fails_if_its_sender_lost_the_right_before_the_last_byte(
    machine: InProcessServer,
) -> None:
    server, hamlet = machine, await machine.add_person("hamlet")
    content_type, body = encoded({}, [("f.bin", CONTENT)])
    under_way = sending(server, hamlet, body, content_type)
    await under_way.hand_over(body[: 2 * CHUNK_SIZE])
    async with server.context.change(None) as change:
        await change.connection.execute(update(accounts).where(accounts.c.id == hamlet.id).values(is_active=False))
    assert (await under_way.finish(body[2 * CHUNK_SIZE :])).status == 401
    assert [await number_of(server, table) for table in (uploads, contents, upload_chunks)] == [0, 0, 0]


async def test_unfinished_uploads_count_against_the_quota_and_are_swept_after_an_hour(
    tmp_path: Path, database_url: str
) -> None:
    settings = prepared(tmp_path / "data", database_url=database_url, upload_quota=10)
    async with serving(settings) as server:
        hamlet = await server.add_person("hamlet")
        share = settings.upload_quota * 1024 * 1024 // SHARE_OF_ONE
        lost = IncomingContent(server.context, Caller(hamlet.account), share - CHUNK_SIZE)
        await lost.write(CONTENT)  # and the worker is killed
        assert (await upload(server, hamlet))["code"] == "REALM_UPLOAD_QUOTA"
        await upload_contents.sweep(server.context)
        assert await number_of(server, contents) == 1
        async with server.context.change(None) as change:
            begun = change.now - UNFINISHED_LIVES - timedelta(seconds=1)
            await change.connection.execute(update(contents).values(begun_at=begun))
        await upload_contents.sweep(server.context)
        assert [await number_of(server, table) for table in (contents, upload_chunks)] == [0, 0]
        assert (await upload(server, hamlet))["result"] == "success"
        await upload_contents.sweep(server.context)
        assert await number_of(server, contents) == 1


async def test_an_upload_that_was_swept_while_it_was_sent_is_refused(machine: InProcessServer) -> None:
    server, hamlet = machine, await machine.add_person("hamlet")
    content_type, body = encoded({}, [("f.bin", CONTENT[: CHUNK_SIZE + 1])])
    late = sending(server, hamlet, body, content_type)
    await late.hand_over(body[:-1])
    async with server.context.reading() as connection:
        content_id = (await connection.execute(select(contents.c.id))).scalar_one()
    await upload_contents.remove(server.context, content_id)
    answer = await late.finish(body[-1:])
    assert (answer.status, answer.message) == (400, "The upload took too long. Send the file again.")
    assert [await number_of(server, table) for table in (uploads, contents, upload_chunks)] == [0, 0, 0]


async def test_reading_a_file_ends_early_if_it_is_deleted(machine: InProcessServer) -> None:
    server, hamlet = machine, await machine.add_person("hamlet")
    await upload(server, hamlet)
    async with server.context.reading() as connection:
        content_id = (await connection.execute(select(contents.c.id))).scalar_one()
    pieces = upload_contents.Content(server.context, content_id, len(CONTENT)).read(0, len(CONTENT))
    assert await anext(pieces) == CONTENT[:CHUNK_SIZE]
    (row,) = (await server.client().get("/api/v1/attachments", auth=hamlet.auth)).json()["attachments"]
    await server.client().delete(f"/api/v1/attachments/{row['id']}", auth=hamlet.auth)
    assert await chunk_sizes(server) == []
    with pytest.raises(NoSuchFile):
        await anext(pieces)
