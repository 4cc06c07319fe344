"""What a person and their bots may have together is capped: a person does not have it once more with each bot."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from keybearer.server.domain.bots import BotType
from keybearer.server.domain.limits import MOST_LONG_WORK_OF_ONE, Cap
from keybearer.server.domain.messaging.outgoing_webhooks import ATTEMPTS
from keybearer.server.storage.messaging.bot_storage import stored_by_person
from keybearer.server.storage.messaging.tables import (
    alert_words,
    bot_storage,
    muted_users,
    user_topics,
    webhook_calls,
)
from keybearer.server.storage.messaging.webhook_calls import NOT_CALLED, add
from keybearer.server.storage.tables import accounts
from keybearer.server.storage.tables import event_queues as queues
from tests.in_process import InProcessServer, Known
from tests.server.questions import fill
from tests.server.test_caps import add_rows, call, number_of


@pytest.fixture
async def hamlet(server: InProcessServer) -> Known:
    return await server.add_person("hamlet")


async def test_what_the_bots_of_a_person_have_counts_together_with_what_the_person_has(
    server: InProcessServer, hamlet: Known
) -> None:
    now = server.context.clock()
    first, second = [await server.add_bot(hamlet, name) for name in ("first", "second")]
    idle = {"start_id": 0, "acknowledged_id": 0, "idle_seconds": 600, "options": "{}", "polled_at": now}
    half = Cap.QUEUES.most // 2
    rows = [{**idle, "id": f"q{n}", "account_id": (hamlet if n < half else first).id} for n in range(Cap.QUEUES.most)]
    await add_rows(server, queues, rows)
    of_each = Cap.ALERT_WORDS_OF_PERSON.most // 2
    words = [(account.id, f"w{n}") for account in (hamlet, first) for n in range(of_each)]
    await add_rows(
        server,
        alert_words,
        [{"account_id": each, "key": word, "word": word, "first_token": word} for each, word in words],
    )
    stored = {"key": "k", "value": "", "characters": Cap.STORAGE_OF_PERSON.most // 2}
    await add_rows(server, bot_storage, [{**stored, "account_id": each.id} for each in (hamlet, first)])

    queue = await call(server, second, "POST", "register", fetch_event_types=[])
    word = await call(server, second, "POST", "users/me/alert_words", alert_words=["w"])
    storage = await call(server, second, "PUT", "bot_storage", storage={"key": "text"})

    assert queue["msg"] == Cap.QUEUES.refusal()
    assert word["msg"] == Cap.ALERT_WORDS_OF_PERSON.refusal()
    assert storage["msg"] == Cap.STORAGE_OF_PERSON.refusal(over=7)
    assert {each["status"] for each in (queue, word, storage)} == {400}
    other = await server.add_bot(await server.add_person("othello"), "other")
    assert (await call(server, other, "POST", "register", fetch_event_types=[]))["status"] == 200
    assert (await call(server, other, "POST", "users/me/alert_words", alert_words=["w"]))["status"] == 200
    assert (await call(server, other, "PUT", "bot_storage", storage={"key": "text"}))["status"] == 200


async def test_nobody_uses_up_the_queues_of_somebody_else_by_giving_them_a_bot(server_on_each: InProcessServer) -> None:
    server = server_on_each
    othello, hamlet = await server.add_person("othello"), await server.add_person("hamlet")
    bot = await server.add_bot(othello, "present")
    row = {"start_id": 0, "acknowledged_id": 0, "idle_seconds": 600, "options": "{}", "account_id": bot.id}
    row |= {"polled_at": server.context.clock()}
    await add_rows(server, queues, [{**row, "id": f"q{number}"} for number in range(Cap.QUEUES.most)])
    given = await call(server, othello, "PATCH", f"bots/{bot.id}", bot_owner_id=hamlet.id)
    assert given["status"] == 200
    assert (await call(server, hamlet, "POST", "register", fetch_event_types=[]))["status"] == 200


async def test_a_registration_that_is_refused_because_too_many_wait_opens_no_queue(
    server: InProcessServer, hamlet: Known
) -> None:
    front_door = server.app._front_door
    assert front_door is not None
    async with front_door._context.long_answers.turn(hamlet.id):
        waiting = [
            asyncio.create_task(call(server, hamlet, "POST", "register", include_subscribers=True))
            for _ in range(MOST_LONG_WORK_OF_ONE)
        ]
        refused, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert [each.result()["status"] for each in refused] == [503]
        assert await number_of(server, queues) == 0
    answers = await asyncio.gather(*waiting)
    assert sorted(each["status"] for each in answers) == [200] * (MOST_LONG_WORK_OF_ONE - 1) + [503]


async def test_what_a_bot_stores_is_counted_in_characters_and_freed_again(
    server: InProcessServer, hamlet: Known
) -> None:
    for value in ("short", "a longer text", "ü"):
        await call(server, hamlet, "PUT", "bot_storage", storage={"key": value})
        async with server.context.reading() as connection:
            assert await stored_by_person(connection, hamlet.id) == (1, 3 + len(value))
    await call(server, hamlet, "DELETE", "bot_storage", keys=["key"])
    async with server.context.reading() as connection:
        assert await stored_by_person(connection, hamlet.id) == (0, 0)


async def test_calls_that_wait_for_the_bots_of_one_owner_are_capped_and_people_are_told(
    server: InProcessServer, hamlet: Known
) -> None:
    owner = await server.add_person("othello")
    slow, quick = [await server.add_bot(owner, name, BotType.OUTGOING_WEBHOOK) for name in ("slow", "quick")]

    async def texts_of(who: Known) -> list[str]:
        path = "/api/v1/messages?anchor=newest&num_before=20&num_after=0&apply_markdown=false"
        answer = (await server.client().get(path, auth=who.auth)).json()
        return [each["content"] for each in answer["messages"]]

    async def wait_for(text: str) -> None:
        async with asyncio.timeout(60):
            while not any(text in each for each in await texts_of(owner)):
                assert await number_of(server, webhook_calls) <= Cap.WEBHOOK_CALLS.most + 1
                await asyncio.sleep(0.01)

    first = await call(server, hamlet, "POST", "messages", type="direct", to=[slow.email], content="first")
    await wait_for("does not allow webhooks to that address")
    later = server.context.clock() + timedelta(hours=1)
    row = {"bot_id": slow.id, "message_id": first["id"], "trigger": "direct_message", "next_attempt_at": later}
    await add_rows(server, webhook_calls, [row] * Cap.WEBHOOK_CALLS.most)
    for text in ("second", "third"):
        sent = await call(server, hamlet, "POST", "messages", type="direct", to=[quick.email], content=text)
        assert sent["status"] == 200
    await wait_for("Too many calls wait for your bots already")
    assert (await texts_of(hamlet))[-1] == "Failure! Bot is unavailable"


@pytest.mark.parametrize(("attempts", "is_reported"), [(ATTEMPTS, True), (ATTEMPTS + 1, False)])
async def test_a_call_that_never_ends_is_reported_and_not_made_again_and_removed_if_that_fails_too(
    server: InProcessServer, hamlet: Known, attempts: int, is_reported: bool
) -> None:
    bot = await server.add_bot(hamlet, "hook", BotType.OUTGOING_WEBHOOK)
    await call(server, hamlet, "POST", "users/me/subscriptions", subscriptions=[{"name": "hooks"}])
    sent = await call(server, hamlet, "POST", "messages", type="channel", to="hooks", topic="t", content="x")
    row = {"bot_id": bot.id, "message_id": sent["id"], "trigger": "mention", "next_attempt_at": server.context.clock()}
    await add_rows(server, webhook_calls, [{**row, "attempts": attempts}])
    front_door = server.app._front_door
    assert front_door is not None
    front_door._context.webhooks_due.set()
    async with asyncio.timeout(60):
        while await number_of(server, webhook_calls):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    answer = (await server.client().get("/api/v1/messages?anchor=newest&num_before=9", auth=hamlet.auth)).json()
    assert ("Failure! Bot is unavailable" in str(answer["messages"])) is is_reported
    assert ("The server stopped during each of its calls" in str(answer["messages"])) is is_reported


async def test_calls_that_wait_for_one_bot_are_capped_and_leave_room_for_the_others(
    server: InProcessServer, hamlet: Known
) -> None:
    owner = await server.add_person("othello")
    slow, quick = [await server.add_bot(owner, name, BotType.OUTGOING_WEBHOOK) for name in ("slow", "quick")]
    bots = [slow.account, quick.account]
    sent = await call(server, hamlet, "POST", "messages", type="direct", to=[owner.email], content="x")
    row = {"bot_id": slow.id, "message_id": sent["id"], "trigger": "mention"}
    later = server.context.clock() + timedelta(hours=1)
    await add_rows(server, webhook_calls, [{**row, "next_attempt_at": later}] * Cap.WEBHOOK_CALLS_OF_BOT.most)

    async with server.context.change(None) as change:
        for _ in range(2):
            await add(change.connection, bots, sent["id"], trigger="mention", at=later)
        counted = select(webhook_calls.c.bot_id, webhook_calls.c.trigger, func.count()).group_by("bot_id", "trigger")
        found = {(bot_id, trigger): number for bot_id, trigger, number in await change.connection.execute(counted)}

    most = Cap.WEBHOOK_CALLS_OF_BOT.most
    assert found == {(slow.id, "mention"): most, (slow.id, NOT_CALLED): 1, (quick.id, "mention"): 2}


async def test_mutes_of_the_bots_of_a_person_count_together(server: InProcessServer, hamlet: Known) -> None:
    first, second = [await server.add_bot(hamlet, name) for name in ("first", "second")]
    othello = await server.add_person("othello")
    await fill(server, hamlet)
    await add_mutes(server, first, Cap.MUTED_USERS_OF_PERSON.most - 1, Cap.USER_TOPICS_OF_PERSON.most - 1)

    async def mute(who: Known) -> list[str]:
        topic = await call(server, who, "POST", "user_topics", stream_id=1, topic="t", visibility_policy=1)
        return [topic["msg"], (await call(server, who, "POST", f"users/me/muted_users/{othello.id}"))["msg"]]

    assert await mute(hamlet) == ["", ""]
    assert await mute(second) == [Cap.USER_TOPICS_OF_PERSON.refusal(), Cap.MUTED_USERS_OF_PERSON.refusal()]
    again = await call(server, hamlet, "POST", "user_topics", stream_id=1, topic="t", visibility_policy=3)
    assert again["msg"] == ""


async def add_mutes(server: InProcessServer, bot: Known, users: int, topics: int) -> None:
    """Let a hundred bots like this one, of the same owner, mute each other and topics: so many of each in all."""
    async with server.context.change(None) as change:
        found = (await change.connection.execute(select(accounts).where(accounts.c.id == bot.id))).mappings().one()
        like = {name: value for name, value in found.items() if name != "id"}
        email = "bot{}@example.com".format
        rows = [{**like, "delivery_email": email(number), "email_key": email(number)} for number in range(101)]
        await change.connection.execute(insert(accounts), rows)
        added = select(accounts.c.id).where(accounts.c.email_key.in_([row["email_key"] for row in rows]))
        ids = (await change.connection.execute(added)).scalars().all()
    now = server.context.clock()
    pairs = [{"account_id": one, "muted_id": other, "muted_at": now} for one in ids for other in ids if one != other]
    await add_rows(server, muted_users, pairs[:users])
    chosen = {"channel_id": 1, "policy": 1, "changed_at": now}
    names = [(account_id, f"topic {number}") for account_id in ids for number in range(100)]
    rows = [{**chosen, "account_id": each, "topic_key": name, "topic": name} for each, name in names]
    await add_rows(server, user_topics, rows[:topics])
