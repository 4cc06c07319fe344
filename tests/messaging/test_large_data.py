"""A small request about much data: others get their turns, the answer has a limit, and no text is read in vain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, insert, literal, select, update

from keybearer.server.domain.accounts import EmailVisibility, Role
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.event_queues import IDLE_TIMEOUT, QueueOptions
from keybearer.server.domain.limits import MOST_MEMBERS, MOST_NAMED, MOST_SUBSCRIBERS, MOST_TEXT
from keybearer.server.domain.messaging.messages import MOST_MESSAGES
from keybearer.server.domain.pacing import AT_ONCE, paced
from keybearer.server.services.event_queues import open_queue
from keybearer.server.services.messaging.messages import USUAL_MESSAGES, Query, find, find_flags
from keybearer.server.services.messaging.sending import Draft, ToChannel, ToPeople, send
from keybearer.server.services.messaging.topics import COPIES_AT_ONCE
from keybearer.server.storage.messaging.tables import (
    bot_storage,
    channels,
    conversations,
    copies,
    messages,
    presences,
    subscriptions,
)
from keybearer.server.storage.tables import accounts
from tests.asgi import Answer, call
from tests.in_process import InProcessServer, Known
from tests.statements import counting
from tests.steps import most_steps_at_once

MANY = 3000
QUEUES = 300
SOME = 10 * MANY
"""Steps that a piece of work may take, where all people of a message are written down."""
FEW = 6 * MANY
"""Steps that a piece of work may take, where shaping each item of a list takes dozens."""
VERY_FEW = 2 * MANY
"""The same where shaping an item takes a few."""


async def page(server: InProcessServer, who: Known, **fields: object) -> dict[str, Any]:
    answer = await call(server, who, "GET", "messages", **{"num_before": 0, "num_after": 0, **fields})
    assert answer.status == 200, answer.text[:500]
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def add_rows(server: InProcessServer, table: Any, rows: list[dict[str, Any]]) -> list[int]:
    """The ids of new rows, if the table has ids."""
    async with server.context.change(None) as change:
        await change.connection.execute(insert(table), rows)
        if "id" not in table.c:
            return []
        newest = select(table.c.id).order_by(table.c.id.desc()).limit(len(rows))
        return sorted((await change.connection.execute(newest)).scalars())


async def add_people(server: InProcessServer, like: Known, count: int) -> list[int]:
    shared = {"realm_id": like.account.realm_id, "role": 400, "date_joined": server.context.clock()}
    emails = [f"person{number}@example.com" for number in range(count)]
    return await add_rows(
        server, accounts, [{**shared, "delivery_email": each, "email_key": each, "full_name": each} for each in emails]
    )


async def add_channels(server: InProcessServer, creator: Known, count: int) -> list[int]:
    shared = {"realm_id": creator.account.realm_id, "created_at": server.context.clock(), "creator_id": creator.id}
    return await add_rows(server, channels, [{**shared, "name": f"c{n}", "name_key": f"c{n}"} for n in range(count)])


async def follow(server: InProcessServer, people: list[int], channel_ids: list[int]) -> None:
    rows = [{"account_id": each, "channel_id": one, "color": "#000000"} for one in channel_ids for each in people]
    await add_rows(server, subscriptions, rows)


async def most_steps(act: Awaitable[Answer]) -> int:
    """How many steps a request makes at most before other work gets a turn."""
    answer, most = await most_steps_at_once(act)
    assert answer.status == 200, answer.text[:500]
    return most


async def test_other_work_gets_a_turn_after_every_few_items() -> None:
    made, steps = await most_steps_at_once(paced(lambda each: each + 1, range(10 * AT_ONCE)))
    assert made == list(range(1, 10 * AT_ONCE + 1))
    assert steps < 10 * AT_ONCE


LISTS: dict[str, tuple[str, str, dict[str, object]]] = {
    "people": ("GET", "users", {}),
    "channels": ("GET", "streams", {}),
    "subscriptions": ("GET", "users/me/subscriptions", {}),
    "subscriptions with subscribers": ("GET", "users/me/subscriptions", {"include_subscribers": True}),
    "presences": ("GET", "realm/presence", {}),
    "the initial state": ("POST", "register", {}),
}


@pytest.mark.parametrize(("method", "path", "fields"), LISTS.values(), ids=LISTS)
async def test_reading_shaping_and_encoding_a_long_list_leave_turns_to_others(
    server: InProcessServer, method: str, path: str, fields: dict[str, object]
) -> None:
    hamlet = await server.add_person("hamlet")
    people = await add_people(server, hamlet, MANY)
    await follow(server, [hamlet.id], await add_channels(server, hamlet, MANY))
    now = server.context.clock()
    await add_rows(server, presences, [{"account_id": each, "seen_at": now} for each in people])
    assert await most_steps(call(server, hamlet, method, path, **fields)) < FEW


async def test_what_a_bot_stores_is_answered_in_pieces_and_exactly(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    texts = {f"key {number}": "\x01\u00e9" * 100 for number in range(MANY)}
    rows = [{"account_id": hamlet.id, "key": key, "value": value} for key, value in texts.items()]
    await add_rows(server, bot_storage, rows)
    assert await most_steps(call(server, hamlet, "GET", "bot_storage")) < VERY_FEW
    answer = await call(server, hamlet, "GET", "bot_storage", unknown="x")
    assert json.loads(answer.body) == {
        "result": "success",
        "msg": "",
        "storage": texts,
        "ignored_parameters_unsupported": ["unknown"],
    }


async def test_long_answers_of_one_person_and_their_bots_are_built_one_after_another(server: InProcessServer) -> None:
    hamlet, ophelia = await server.add_person("hamlet"), await server.add_person("ophelia")
    bot = await server.add_bot(hamlet, "hambot")
    stored = [{"key": f"key {number}", "value": "x" * 100} for number in range(MANY)]
    await add_rows(
        server, bot_storage, [{"account_id": each.id, **row} for each in (hamlet, bot, ophelia) for row in stored]
    )
    (channel_id,) = await add_channels(server, hamlet, 1)
    await add_topics(server, hamlet, channel_id)
    for path in ("bot_storage", f"users/me/{channel_id}/topics"):
        finished: list[int] = []

        async def read(number: int, who: Known, path: str = path, finished: list[int] = finished) -> None:
            assert (await call(server, who, "GET", path)).status == 200
            finished.append(number)

        asked = [hamlet, bot, hamlet, bot, hamlet, bot, ophelia]
        await asyncio.gather(*(read(number, who) for number, who in enumerate(asked)))
        assert [each for each in finished if each != 6] == [0, 1, 2, 3, 4, 5]
        assert finished[-1] == 5


async def add_topics(server: InProcessServer, sender: Known, channel_id: int) -> list[int]:
    shared = {"realm_id": sender.account.realm_id, "sender_id": sender.id, "content": "x", "rendered": "x",
              "channel_id": channel_id, "sent_at": server.context.clock()}  # fmt: skip
    return await add_rows(server, messages, [{**shared, "topic": f"t{n}", "topic_key": f"t{n}"} for n in range(MANY)])


async def test_all_topics_of_a_channel_are_listed_newest_first_in_pieces(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    (channel_id,) = await add_channels(server, hamlet, 1)
    ids = await add_topics(server, hamlet, channel_id)
    path = f"users/me/{channel_id}/topics"
    assert await most_steps(call(server, hamlet, "GET", path)) < VERY_FEW
    topics = json.loads((await call(server, hamlet, "GET", path)).body)["topics"]
    assert topics == [{"name": f"t{n}", "max_id": ids[n]} for n in reversed(range(MANY))]


async def add_messages_to(server: InProcessServer, sender: Known, people: list[int], count: int) -> list[int]:
    """Messages to these people, of which only the sender has copies, all read."""
    first = await send(server.context, Caller(sender.account), Draft(ToPeople(tuple(people)), "first"))
    async with server.context.reading() as connection:
        found = select(messages.c.conversation_id).where(messages.c.id == first)
        conversation_id = (await connection.execute(found)).scalar_one()
    shared = {"realm_id": sender.account.realm_id, "sender_id": sender.id, "content": "x", "rendered": "x",
              "conversation_id": conversation_id, "sent_at": server.context.clock()}  # fmt: skip
    ids = await add_rows(server, messages, [shared] * (count - 1)) if count > 1 else []
    if ids:
        await add_rows(server, copies, [{"account_id": sender.id, "message_id": each, "flags": 1} for each in ids])
    return [first, *ids]


async def test_a_page_of_messages_to_thousands_is_cut_says_so_and_the_next_page_follows(
    server: InProcessServer,
) -> None:
    hamlet = await server.add_person("hamlet")
    people = [hamlet.id, *await add_people(server, hamlet, MANY)]
    sent = await add_messages_to(server, hamlet, people, 60)
    found, read, pages = {"found_oldest": False}, list[int](), 0
    anchor: object = "newest"
    while not found["found_oldest"]:
        answer = await call(server, hamlet, "GET", "messages", anchor=anchor, num_before=100, num_after=0,
                            include_anchor=not read)  # fmt: skip
        assert len(answer.body) < 2 * MOST_TEXT
        found, pages = json.loads(answer.body), pages + 1
        assert found["messages"]
        assert {len(each["display_recipient"]) for each in found["messages"]} == {len(people)}
        read = [each["id"] for each in found["messages"]] + read
        anchor = read[0]
    assert (read, pages > 1) == (sent, True)
    oldest = await page(server, hamlet, anchor="oldest", num_after=100)
    assert (oldest["found_oldest"], oldest["found_newest"]) == (True, False)
    one = await page(server, hamlet, anchor=sent[-1], num_before=1)
    assert [person["id"] for person in one["messages"][-1]["display_recipient"]] == sorted(people)


async def test_marking_messages_reads_no_texts(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    ids = await add_messages_to(server, hamlet, [hamlet.id], 10)
    around = {"anchor": "oldest", "num_before": 0, "num_after": 100, "narrow": [["is", "dm"]]}
    for op in ("remove", "add"):
        for path, wanted in (("messages/flags", {"messages": ids[:5]}), ("messages/flags/narrow", around)):
            with counting() as statements:
                answer = await call(server, hamlet, "POST", path, op=op, flag="read", **wanted)
            assert answer.status == 200
            assert not [each for each in statements if "messages.content" in each or "messages.rendered" in each]
    with counting() as statements:
        assert (await call(server, hamlet, "POST", "mark_all_as_read")).status == 200
    assert not [each for each in statements if "messages.content" in each]


async def test_a_client_learns_where_messages_are_that_it_marks_as_unread(server: InProcessServer) -> None:
    hamlet, ophelia = await server.add_person("hamlet"), await server.add_person("ophelia")
    (direct,) = await add_messages_to(server, hamlet, [hamlet.id, ophelia.id], 1)
    queue = json.loads((await call(server, hamlet, "POST", "register", event_types=["update_message_flags"])).body)
    for op in ("add", "remove"):
        assert (
            await call(server, hamlet, "POST", "messages/flags", messages=[direct], op=op, flag="read")
        ).status == 200
    answer = await call(server, hamlet, "GET", "events", queue_id=queue["queue_id"], last_event_id=-1, dont_block=True)
    told = json.loads(answer.body)["events"][-1]
    assert told["message_details"] == {str(direct): {"type": "private", "user_ids": [ophelia.id]}}


async def test_messages_to_too_many_people_are_not_marked_as_unread_at_once(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    people = [hamlet.id, *await add_people(server, hamlet, MANY)]
    sent = await add_messages_to(server, hamlet, people, MOST_NAMED // MANY + 2)
    assert len(sent) < MOST_MESSAGES
    for ids, status in ((sent, 400), (sent[: len(sent) // 2], 200)):
        assert (await call(server, hamlet, "POST", "messages/flags", messages=ids, op="add", flag="read")).status == 200
        answer = await call(server, hamlet, "POST", "messages/flags", messages=ids, op="remove", flag="read")
        assert answer.status == status, answer.text


async def add_copies(server: InProcessServer, people: list[int], message_ids: list[int]) -> None:
    rows = [{"account_id": each, "message_id": one, "flags": 0} for one in message_ids for each in people]
    await add_rows(server, copies, rows)


async def test_changing_much_leaves_turns_to_others(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet", Role.ADMINISTRATOR)
    people = [hamlet.id, *await add_people(server, hamlet, MANY)]
    first, second = await add_channels(server, hamlet, 2)
    await follow(server, people, [first, second])
    sent = await send(server.context, Caller(hamlet.account), Draft(ToChannel(first, "t"), "text"))
    some, new = people[:1000], [{"name": f"new {number}"} for number in range(9)]
    acts: list[tuple[str, str, dict[str, object]]] = [
        ("POST", "users/me/subscriptions", {"subscriptions": new, "principals": some}),
        ("POST", "users/me/subscriptions", {"subscriptions": new, "principals": some}),
        ("DELETE", "users/me/subscriptions", {"subscriptions": [each["name"] for each in new], "principals": some}),
        ("POST", "messages", {"type": "direct", "to": people, "content": "to all of you"}),
        ("PATCH", f"messages/{sent}", {"content": "to @**all**"}),
        ("POST", f"messages/{sent}/reactions", {"emoji_name": "tada"}),
        ("PATCH", f"messages/{sent}", {"stream_id": second}),
        ("DELETE", f"messages/{sent}", {}),
        ("PATCH", f"streams/{first}", {"is_private": True}),
        ("DELETE", f"streams/{first}", {}),
    ]
    steps = [await most_steps(call(server, hamlet, method, path, **fields)) for method, path, fields in acts]
    assert max(steps) < SOME


async def test_a_transaction_deletes_few_messages_of_a_topic_if_they_are_to_many_people(
    server: InProcessServer,
) -> None:
    hamlet = await server.add_person("hamlet", Role.ADMINISTRATOR)
    people = [hamlet.id, *await add_people(server, hamlet, MANY)]
    (channel_id,) = await add_channels(server, hamlet, 1)
    await follow(server, [hamlet.id], [channel_id])
    draft = Draft(ToChannel(channel_id, "t"), "text")
    sent = [await send(server.context, Caller(hamlet.account), draft) for _ in range(8)]
    await add_copies(server, people[1:], sent)
    queue = json.loads((await call(server, hamlet, "POST", "register", event_types=["delete_message"],
                                   client_capabilities={"bulk_message_deletion": True})).body)  # fmt: skip
    answer = await call(server, hamlet, "POST", f"streams/{channel_id}/delete_topic", topic_name="t")
    assert json.loads(answer.body)["complete"]
    told = await call(server, hamlet, "GET", "events", queue_id=queue["queue_id"], last_event_id=-1, dont_block=True)
    deleted = [event["message_ids"] for event in json.loads(told.body)["events"]]
    assert sorted(each for ids in deleted for each in ids) == sent
    assert max(map(len, deleted)) == COPIES_AT_ONCE // len(people)


async def test_the_initial_state_has_the_newest_unread_messages_whose_conversations_have_room(
    server: InProcessServer,
) -> None:
    hamlet = await server.add_person("hamlet")
    ids = range(100_000, 100_000 + MANY)
    texts = [",".join(str(each) for each in ids if each != without) for without in ids[:200]]
    rows: list[dict[str, Any]] = [{"members_key": str(n), "members": text} for n, text in enumerate(texts)]
    added = await add_rows(server, conversations, rows)
    shared = {"realm_id": hamlet.account.realm_id, "sender_id": hamlet.id, "content": "x", "rendered": "x",
              "sent_at": server.context.clock()}  # fmt: skip
    sent = await add_rows(server, messages, [{**shared, "conversation_id": each} for each in added for _ in range(2)])
    await add_rows(server, copies, [{"account_id": hamlet.id, "message_id": each, "flags": 2} for each in sent])
    answer = await call(server, hamlet, "POST", "register")
    assert len(answer.body) < 2 * MOST_MEMBERS
    state = json.loads(answer.body)
    groups = state["unread_msgs"]["huddles"]
    assert (
        sorted(each for group in groups for each in group["unread_message_ids"])
        == sent[-2 * (MOST_MEMBERS // len(texts[0])) :]
    )
    assert (state["unread_msgs"]["old_unreads_missing"], state["starred_messages"]) == (True, sent)
    assert await most_steps(call(server, hamlet, "POST", "register")) < FEW


async def test_an_event_with_thousands_of_people_is_delivered_to_many_queues_in_pieces(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    people = await add_people(server, hamlet, MANY)
    hub, caller, polls = server.context.hub, Caller(hamlet.account), []
    for _ in range(QUEUES):
        queue = await open_queue(server.context, caller, QueueOptions(event_types=("message",)), IDLE_TIMEOUT)
        polls.append(asyncio.create_task(hub.poll(caller, queue.id, -1, dont_block=False)))
    while hub.count_waiting() < QUEUES:  # noqa: ASYNC110
        await asyncio.sleep(0)
    await send(server.context, caller, Draft(ToPeople((hamlet.id, *people)), "to all of you"))
    async with server.context.change(None) as change:
        hide = (
            update(accounts).where(accounts.c.id.in_(people[::3])).values(email_visibility=EmailVisibility.NOBODY.value)
        )
        await change.connection.execute(hide)
    _, steps = await most_steps_at_once(hub.catch_up())
    assert steps < SOME
    answers = [(await poll)[0] for poll in polls]
    shown = [message["display_recipient"] for answer in answers if isinstance(message := answer["message"], dict)]
    assert len(shown) == QUEUES
    assert {len(each) for each in shown} == {MANY + 1}
    assert [person["id"] for person in shown[0] if not person["email"].endswith("@example.com")] == people[::3]
    assert all(each is shown[0] for each in shown)


async def test_accounts_that_left_a_channel_are_told_where_its_messages_go_after_the_move_is_written(
    server: InProcessServer,
) -> None:
    hamlet, ophelia = await server.add_person("hamlet", Role.ADMINISTRATOR), await server.add_person("ophelia")
    public, private = await add_channels(server, hamlet, 2)
    await follow(server, [hamlet.id, ophelia.id], [public])
    await follow(server, [hamlet.id], [private])
    assert (await call(server, hamlet, "PATCH", f"streams/{private}", is_private=True)).status == 200
    sent = await send(server.context, Caller(hamlet.account), Draft(ToChannel(public, "t"), "text"))
    assert (await call(server, ophelia, "DELETE", "users/me/subscriptions", subscriptions=["c0"])).status == 200
    types = ["update_message", "delete_message"]
    queue = json.loads((await call(server, ophelia, "POST", "register", event_types=types)).body)
    last = -1
    for changed, told in (({"topic": "new"}, "update_message"), ({"stream_id": private}, "delete_message")):
        with counting() as statements:
            answer = await call(server, hamlet, "PATCH", f"messages/{sent}", propagate_mode="change_all", **changed)
        assert answer.status == 200, answer.text
        written = next(number for number, each in enumerate(statements) if "INSERT INTO events" in each)
        reading = [number for number, each in enumerate(statements) if "DISTINCT copies.account_id" in each]
        assert min(reading) > written
        poll = {"queue_id": queue["queue_id"], "last_event_id": last, "dont_block": True}
        (event,) = json.loads((await call(server, ophelia, "GET", "events", **poll)).body)["events"]
        assert (event["type"], event["message_id"]) == (told, sent)
        last = event["id"]


async def test_more_subscribers_than_an_answer_has_room_for_are_refused_with_what_to_do(
    server: InProcessServer,
) -> None:
    hamlet = await server.add_person("hamlet")
    count = 1 + len(await add_people(server, hamlet, MANY))
    channel_ids = await add_channels(server, hamlet, MOST_SUBSCRIBERS // count + 1)
    everybody = select(accounts.c.id, channels.c.id, literal("#000000"))
    async with server.context.change(None) as change:
        followed = everybody.select_from(
            accounts.join(channels, channels.c.id.between(channel_ids[0], channel_ids[-1]))
        )
        columns = ["account_id", "channel_id", "color"]
        await change.connection.execute(insert(subscriptions).from_select(columns, followed))
    for method, path in (("GET", "users/me/subscriptions"), ("POST", "register")):
        answer = await call(server, hamlet, method, path, include_subscribers=True)
        assert (answer.status, "Ask without include_subscribers" in answer.text) == (400, True)
    async with server.context.change(None) as change:
        await change.connection.execute(delete(subscriptions).where(subscriptions.c.channel_id == channel_ids[-1]))
    assert (await call(server, hamlet, "GET", "users/me/subscriptions", include_subscribers=True)).status == 200
    assert (await call(server, hamlet, "GET", "users/me/subscriptions")).status == 200
    assert (await call(server, hamlet, "GET", f"streams/{channel_ids[0]}/members")).status == 200


async def test_one_long_page_of_messages_of_a_person_is_read_at_a_time(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    await add_messages_to(server, hamlet, [hamlet.id], 3)
    query = Query(anchor="newest", num_before=USUAL_MESSAGES + 1)
    async with server.context.searches.turn(hamlet.id):
        long_page = asyncio.create_task(find(server.context, Caller(hamlet.account), query))
        usual = await find(server.context, Caller(hamlet.account), replace(query, num_before=USUAL_MESSAGES))
        marks = await find_flags(server.context, Caller(hamlet.account), query)
        assert not long_page.done()
    assert [len((await long_page).copies), len(usual.copies), len(marks.messages)] == [3, 3, 3]
