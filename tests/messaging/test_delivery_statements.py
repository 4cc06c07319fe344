"""Delivery costs a constant number of statements, however many queues wait."""

from __future__ import annotations

import asyncio
from pathlib import Path

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.event_queues import IDLE_TIMEOUT, QueueOptions
from keybearer.server.services.event_queues import open_queue
from keybearer.server.services.messaging import subscriptions
from keybearer.server.services.messaging.sending import Draft, ToChannel, send
from keybearer.server.services.messaging.subscriptions import NewChannel
from tests.in_process import InProcessServer, prepared, serving
from tests.statements import counting


async def statements_to_deliver_to(server: InProcessServer, count: int) -> int:
    """How many statements one message to a channel costs, with this many polls waiting for it."""
    context, waiting = server.context, []
    author = Caller((await server.add_person(f"author{count}")).account)
    people = [await server.add_person(f"hearer{count}x{number}") for number in range(count)]
    for each in people:
        caller = Caller(each.account)
        queue = await open_queue(context, caller, QueueOptions(event_types=("message",)), IDLE_TIMEOUT)
        waiting.append(asyncio.create_task(context.hub.poll(caller, queue.id, -1, dont_block=False)))
    while sum(context.hub.count_polls(each.id) for each in people) < count:  # noqa: ASYNC110
        await asyncio.sleep(0)
    principals = [each.id for each in people]
    await subscriptions.follow(context, author, [NewChannel(f"many {count}")], principals=[author.id, *principals])
    await send(context, author, Draft(ToChannel(f"many {count}", "t"), "to all"))
    with counting() as statements:
        await context.hub.catch_up()
    assert [len(await each) for each in waiting] == [1] * count
    return len(statements)


async def test_a_batch_is_delivered_to_many_queues_with_as_many_statements_as_to_one(
    tmp_path: Path, database_url: str
) -> None:
    async with serving(prepared(tmp_path / "data", database_url=database_url)) as server:
        assert await statements_to_deliver_to(server, 2) == await statements_to_deliver_to(server, 12)


async def test_a_message_and_its_copies_take_few_statements_however_many_copies_there_are(
    tmp_path: Path, database_url: str
) -> None:
    async with serving(prepared(tmp_path / "data", database_url=database_url)) as server:
        author = Caller((await server.add_person("author")).account)
        for count in (1, 12):
            people = [(await server.add_person(f"hearer{count}x{number}")).id for number in range(count)]
            await subscriptions.follow(
                server.context, author, [NewChannel(f"many {count}")], principals=[author.id, *people]
            )
            draft = Draft(ToChannel(f"many {count}", "t"), "to all")
            await send(server.context, author, draft)
            with counting() as statements:
                await send(server.context, author, draft)
            assert len(statements) == (7 if server.context.database.dialect_name == "sqlite" else 6)
