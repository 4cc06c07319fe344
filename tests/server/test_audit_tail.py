"""Following the audit log: each record is returned once, even if it becomes visible after later ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from keybearer.server.domain.audit import AuditEvent
from keybearer.server.services import audit
from keybearer.server.services.audit import NamedRecord
from keybearer.server.services.change import Change
from keybearer.server.storage import realms
from keybearer.server.storage.audit import AuditFilter
from tests.in_process import InProcessServer

SOON = 20.0
KIND = AuditEvent.SECRETS_ROTATED


async def record(change: Change, word: str) -> None:
    realm = await realms.find(change.connection)
    await change.record(KIND, realm=realm, details={"word": word})


async def next_words(tail: AsyncIterator[NamedRecord], count: int) -> list[object]:
    async with asyncio.timeout(SOON):
        return [(await anext(tail)).record.details["word"] for _ in range(count)]


async def test_past_events_come_first_and_then_new_ones(server: InProcessServer) -> None:
    for word in ("one", "two", "three"):
        async with server.context.change(None) as change:
            await record(change, word)
    tail = audit.follow(server.context, AuditFilter(events=[KIND], limit=2))
    assert await next_words(tail, 2) == ["two", "three"]
    await server.add_person("hamlet")  # records of other kinds
    async with server.context.change(None) as change:
        await record(change, "four")
        await record(change, "five")
    assert await next_words(tail, 2) == ["four", "five"]


async def test_a_record_that_is_committed_after_later_ones_is_not_missed(server_on_each: InProcessServer) -> None:
    context = server_on_each.context
    tail = audit.follow(context, AuditFilter(events=[KIND]))
    async with context.change(None) as change:
        await record(change, "before")
    assert await next_words(tail, 1) == ["before"]
    if context.database.dialect_name == "sqlite":  # writers run one after another
        return
    async with context.change(None) as early:
        await record(early, "early")
        async with asyncio.TaskGroup() as group:
            group.create_task(write(server_on_each, "late"))
        assert await next_words(tail, 1) == ["late"]
    assert await next_words(tail, 1) == ["early"]


async def write(server: InProcessServer, word: str) -> None:
    async with server.context.change(None) as change:
        await record(change, word)
