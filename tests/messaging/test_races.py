"""Many at once in messages and channels: on each database no change undoes another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.event_queues import QueueOptions
from keybearer.server.domain.messaging.messages import Flag
from keybearer.server.services import event_queues
from keybearer.server.services.context import Context
from keybearer.server.services.messaging import channels, flags, message_changes, subscriptions
from keybearer.server.services.messaging.channels import ChannelChange
from keybearer.server.services.messaging.message_changes import MessageChange
from keybearer.server.services.messaging.sending import Draft, ToChannel, ToPeople, send
from keybearer.server.services.messaging.subscriptions import NewChannel
from keybearer.server.storage.engine import Database
from keybearer.server.storage.messaging import channels as stored_channels
from keybearer.server.storage.messaging import messages
from tests.in_process import InProcessServer, prepared, serving
from tests.watched_database import WatchedDatabase

ROUNDS = 5


@pytest.fixture
async def server(tmp_path: Path, database_url: str) -> AsyncIterator[InProcessServer]:
    """A server with an organization, on each database."""
    async with serving(prepared(tmp_path / "data", database_url=database_url)) as server:
        yield server


async def flags_of(server: InProcessServer, account_id: int, message_id: int) -> Flag:
    async with server.context.reading() as connection:
        return (await messages.find_flags(connection, account_id, [message_id]))[message_id]


async def test_marks_and_changes_of_a_message_do_not_undo_each_other(server: InProcessServer) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    author, reader = Caller(hamlet.account), Caller(othello.account)
    for number in range(ROUNDS):
        sent = await send(server.context, author, Draft(ToPeople((othello.id,)), f"number {number}"))
        rewritten = MessageChange(content="@**Othello** look")
        await asyncio.gather(
            *(flags.mark(server.context, reader, [sent], "add", flag) for flag in ("read", "starred", "collapsed")),
            message_changes.change(server.context, author, sent, rewritten),
        )
        wanted = Flag.READ | Flag.STARRED | Flag.COLLAPSED | Flag.MENTIONED
        assert await flags_of(server, othello.id, sent) == wanted


async def test_two_clients_can_star_a_message_without_a_copy_at_once(
    server: InProcessServer,
) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    await subscriptions.follow(server.context, Caller(hamlet.account), [NewChannel("castle")])
    for number in range(ROUNDS):
        sent = await send(server.context, Caller(hamlet.account), Draft(ToChannel("castle", "t"), f"number {number}"))
        mark = [flags.mark(server.context, Caller(othello.account), [sent], "add", "starred") for _ in range(3)]
        await asyncio.gather(*mark)
        assert Flag.STARRED in await flags_of(server, othello.id, sent)


async def test_a_topic_is_moved_by_several_at_once_while_its_messages_are_rewritten(server: InProcessServer) -> None:
    olive = Caller((await server.add_person("olive", Role.OWNER)).account)
    await subscriptions.follow(server.context, olive, [NewChannel("castle")])
    for number in range(ROUNDS):
        place = ToChannel("castle", f"topic {number}")
        sent = [await send(server.context, olive, Draft(place, f"{position}")) for position in range(6)]
        moves = [MessageChange(topic=f"moved {number} {at}", propagate_mode="change_all") for at in range(3)]
        await asyncio.gather(
            *(message_changes.change(server.context, olive, sent[2 * at], move) for at, move in enumerate(moves)),
            *(message_changes.change(server.context, olive, each, MessageChange(content="new")) for each in sent),
        )
        async with server.context.reading() as connection:
            after = [await messages.find_seen(connection, olive.account, each) for each in sent]
        assert {each.content for each in after if each} == {"new"}
        assert len({each.topic for each in after if each}) == 1
        versions = [[*each.edits] for each in after if each]
        assert [len([v for v in each if "prev_content" in v]) for each in versions] == [1] * len(sent)
        assert [len([v for v in each if "prev_topic" in v]) for each in versions] == [3] * len(sent)


async def test_changes_of_a_channel_at_once_are_all_kept_and_an_archived_channel_stays_archived(
    server: InProcessServer,
) -> None:
    olive = Caller((await server.add_person("olive", Role.OWNER)).account)
    for number in range(ROUNDS):
        made, _ = await subscriptions.follow(server.context, olive, [NewChannel(f"one {number}"), NewChannel("x")])
        channel = made.subscribed[olive.id][0]
        wanted = [ChannelChange(description="new"), ChannelChange(name=f"two {number}"), ChannelChange(is_private=True)]
        await asyncio.gather(*(channels.change(server.context, olive, channel.id, each) for each in wanted))
        async with server.context.reading() as connection:
            after = await stored_channels.find_seen(connection, olive.account, channel.id)
        assert after is not None
        assert (after.description, after.name, after.is_private) == ("new", f"two {number}", True)
        await asyncio.gather(
            channels.archive(server.context, olive, channel.id),
            *(channels.change(server.context, olive, channel.id, ChannelChange(description=text)) for text in "abc"),
            return_exceptions=True,
        )
        async with server.context.reading() as connection:
            after = await stored_channels.find_seen(connection, olive.account, channel.id)
        assert after is not None
        assert after.is_archived


async def test_of_two_channels_that_request_one_name_at_once_one_gets_it(server: InProcessServer) -> None:
    olive = Caller((await server.add_person("olive", Role.OWNER)).account)
    for number in range(ROUNDS):
        new = [NewChannel(f"{word} {number}") for word in ("left", "right")]
        made, _ = await subscriptions.follow(server.context, olive, new)
        outcomes = await asyncio.gather(
            *(
                channels.change(server.context, olive, channel.id, ChannelChange(name=f"same {number}"))
                for channel in made.subscribed[olive.id]
            ),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", Refused.__name__]


@pytest.mark.parametrize(
    ("is_private", "told"),
    [(False, [("update_message", "third", [2, 3])]), (True, [("delete_message", None, [2, 3])])],
)
async def test_who_has_a_copy_of_a_message_that_is_moved_twice_learns_last_where_it_is_now(
    server: InProcessServer, is_private: bool, told: list[tuple[str, str | None, list[int]]]
) -> None:
    olive, hamlet = await server.add_person("olive", Role.OWNER), await server.add_person("hamlet")
    mover, reader = Caller(olive.account), Caller(hamlet.account)
    for each in (mover, reader):
        await subscriptions.follow(server.context, each, [NewChannel("castle")])
    target = await subscriptions.create(server.context, mover, NewChannel("tower", is_private=is_private), [olive.id])
    sent = [await send(server.context, mover, Draft(ToChannel("castle", "first"), str(n))) for n in range(3)]
    await subscriptions.unfollow(server.context, reader, ["castle"])
    queue = await event_queues.open_queue(server.context, reader, QueueOptions(bulk_deletion=True), timedelta(hours=1))
    database = WatchedDatabase(server.context.database, "copies")
    slow = Context(server.settings, cast("Database", database), server.context.ring)

    async def move_on() -> None:
        further = MessageChange(topic="third", propagate_mode="change_later")
        await message_changes.change(server.context, mover, sent[1], further)

    database.task, database.meanwhile = asyncio.current_task(), move_on
    move = MessageChange(topic="second", channel_id=target.id, propagate_mode="change_later")
    await message_changes.change(slow, mover, sent[1], move)

    found = await server.context.hub.poll(reader, queue.id, -1, dont_block=True)
    numbers = {message_id: number for number, message_id in enumerate(sent, start=1)}
    assert told == [
        (each["type"], each.get("subject"), [numbers[i] for i in cast("list[int]", each.get("message_ids", []))])
        for each in found
    ]
