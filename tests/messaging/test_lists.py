"""Lists in parameters: each has a limit, and costs as many statements as one entry."""

from __future__ import annotations

import json
from collections.abc import Awaitable

import pytest
from sqlalchemy import func, insert, select

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.limits import MOST_ENTRIES, Cap
from keybearer.server.domain.messaging.messages import MOST_MESSAGES
from keybearer.server.domain.messaging.narrows import MOST_TERMS
from keybearer.server.services.messaging import alert_words, flags, subscriptions
from keybearer.server.services.messaging.presences import tell_typing_to_people
from keybearer.server.services.messaging.sending import Draft, ToChannel, ToPeople, send
from keybearer.server.services.messaging.subscriptions import NewChannel
from keybearer.server.storage.messaging.tables import conversations
from keybearer.server.storage.tables import accounts
from tests.asgi import call
from tests.in_process import InProcessServer
from tests.statements import counting

MANY = 100


async def statements_of(act: Awaitable[object]) -> int:
    """How many statements a use case runs."""
    with counting() as statements:
        await act
    assert statements
    return len(statements)


async def test_a_flag_on_many_messages_costs_as_many_statements_as_on_one(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    who, to_self = Caller(hamlet.account), ToPeople((hamlet.id,))
    ids = [await send(server.context, who, Draft(to_self, f"number {each}")) for each in range(MANY)]
    for flag in ("read", "starred"):
        for op in ("add", "remove"):
            await flags.mark(server.context, who, ids, "remove" if op == "add" else "add", flag)
            few = await statements_of(flags.mark(server.context, who, ids[:1], op, flag))
            many = await statements_of(flags.mark(server.context, who, ids[1:], op, flag))
            assert many == few, (op, flag)


async def test_starring_many_messages_without_a_copy_costs_as_many_statements_as_one(
    server: InProcessServer,
) -> None:
    hamlet, late = await server.add_person("hamlet"), await server.add_person("late")
    who, latecomer = Caller(hamlet.account), Caller(late.account)
    await subscriptions.follow(server.context, who, [NewChannel("old")])
    draft = Draft(ToChannel("old", "t"), "text")
    ids = [await send(server.context, who, draft) for _ in range(MANY)]
    few = await statements_of(flags.mark(server.context, latecomer, ids[:1], "add", "starred"))
    many = await statements_of(flags.mark(server.context, latecomer, ids[1:], "add", "starred"))
    assert many == few
    answer = await call(server, late, "GET", "messages", message_ids=ids)
    found = json.loads(answer.body)["messages"]
    assert [set(each["flags"]) for each in found] == [{"read", "starred", "historical"}] * MANY


async def test_typing_to_many_costs_as_many_statements_as_to_one(server: InProcessServer) -> None:
    hamlet, ophelia = await server.add_person("hamlet"), await server.add_person("ophelia")
    who = Caller(hamlet.account)
    few = await statements_of(tell_typing_to_people(server.context, who, "start", [ophelia.id]))
    many = await statements_of(tell_typing_to_people(server.context, who, "start", [ophelia.id] * MOST_ENTRIES))
    assert many == few


async def test_many_alert_words_cost_as_many_statements_as_one(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    who, words = Caller(hamlet.account), [f"word{each}" for each in range(MANY)]
    for change in (alert_words.add, alert_words.remove):
        few = await statements_of(change(server.context, who, words[:1]))
        many = await statements_of(change(server.context, who, words[1:]))
        assert many == few, change.__name__


async def test_too_many_alert_words_are_refused(server: InProcessServer) -> None:
    hamlet, most = await server.add_person("hamlet"), Cap.ALERT_WORDS.most
    for method in ("POST", "DELETE"):
        answer = await call(server, hamlet, method, "users/me/alert_words", alert_words=["word"] * (most + 1))
        expected = f"Invalid alert_words: List should have at most {most} items after validation, not {most + 1}"
        assert (answer.status, answer.message) == (400, expected)


async def test_a_message_that_alerts_many_costs_as_many_statements_as_one_that_alerts_nobody(
    server: InProcessServer,
) -> None:
    sender = Caller((await server.add_person("sender")).account)
    people = [await server.add_person(f"person{each}") for each in range(10)]
    draft = Draft(ToPeople(tuple(each.id for each in people)), "lunch and more words")
    few = await statements_of(send(server.context, sender, draft))
    for each in people:
        await alert_words.add(server.context, Caller(each.account), ["lunch", "more words"])
    many = await statements_of(send(server.context, sender, draft))
    # The first message creates the conversation.
    assert many <= few


async def test_a_message_to_very_many_people_is_sent_once_and_found_by_all(
    server: InProcessServer,
) -> None:
    hamlet = await server.add_person("hamlet")
    emails = [f"person{number}@example.com" for number in range(1500)]
    shared = {"realm_id": hamlet.account.realm_id, "role": 400, "date_joined": server.context.clock()}
    async with server.context.change(None) as change:
        rows = [{**shared, "delivery_email": each, "email_key": each, "full_name": each} for each in emails]
        await change.connection.execute(insert(accounts), rows)
        ids = list((await change.connection.execute(select(accounts.c.id))).scalars())
    for _ in range(2):
        assert (await call(server, hamlet, "POST", "messages", type="direct", to=ids, content="all")).status == 200
    async with server.context.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(conversations))).scalar_one() == 1
    answer = await call(server, hamlet, "POST", "messages/flags/narrow", anchor="newest", num_before=5, num_after=0,
                        narrow=[["dm", ids], ["dm-including", ids[:700]]], op="add", flag="read")  # fmt: skip
    assert json.loads(answer.body)["processed_count"] == 2
    found = await call(server, hamlet, "GET", "messages", anchor="newest", num_before=1, num_after=0)
    assert len(json.loads(found.body)["messages"][-1]["display_recipient"]) == len(ids)


NUMBERS = [1] * (MOST_ENTRIES + 1)
NAMES = ["name"] * (MOST_ENTRIES + 1)
WORDS = {f"key{each}": "value" for each in range(MOST_ENTRIES + 1)}
TOO_MUCH: dict[str, tuple[str, str, str, object]] = {
    "whom to write to": ("POST", "messages", "to", NUMBERS),
    "whom to write to, as text": ("POST", "messages", "to", ",".join(NAMES)),
    "who is told of typing": ("POST", "typing", "to", NUMBERS),
    "whom to let follow": ("POST", "users/me/subscriptions", "principals", NUMBERS),
    "what to follow": ("POST", "users/me/subscriptions", "subscriptions", [{"name": "a"}] * len(NUMBERS)),
    "what to leave": ("DELETE", "users/me/subscriptions", "subscriptions", NAMES),
    "what was chosen": ("POST", "users/me/subscriptions/properties", "subscription_data", [{}] * len(NUMBERS)),
    "who is wanted": ("GET", "users", "user_ids", NUMBERS),
    "who follows a new channel": ("POST", "channels/create", "subscribers", NUMBERS),
    "kinds of events": ("POST", "register", "event_types", NAMES),
    "what a bot keeps": ("PUT", "bot_storage", "storage", WORDS),
    "what a bot has kept": ("GET", "bot_storage", "keys", NAMES),
}
OTHER_FIELDS = {"name": "a", "type": "direct", "content": "text", "op": "start", "subscriptions": [{"name": "a"}]}


@pytest.mark.parametrize(("method", "path", "name", "value"), TOO_MUCH.values(), ids=TOO_MUCH)
async def test_a_longer_list_is_refused_with_its_name_and_the_limit(
    server: InProcessServer, method: str, path: str, name: str, value: object
) -> None:
    answer = await call(server, await server.add_person("hamlet"), method, path, **{**OTHER_FIELDS, name: value})
    assert answer.status == 400
    kind = "Dictionary" if isinstance(value, dict) else "List"
    assert answer.message == (
        f"Invalid {name}: {kind} should have at most {MOST_ENTRIES} items after validation, not {MOST_ENTRIES + 1}"
    )


async def test_a_longer_narrow_is_refused_and_so_are_more_people_in_it(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    window = {"anchor": "newest", "num_before": 1, "num_after": 0}

    async def refused(narrow: object) -> str:
        answer = await call(server, hamlet, "GET", "messages", narrow=narrow, **window)
        assert answer.status == 400
        return answer.message

    longest = [["is", "unread"]] * MOST_TERMS
    assert (await call(server, hamlet, "GET", "messages", narrow=longest, **window)).status == 200
    assert f"at most {MOST_TERMS} items" in await refused([*longest, ["is", "unread"]])
    assert f"at most {MOST_ENTRIES} items" in await refused([["dm", NUMBERS]])
    assert f"more than {MOST_ENTRIES} people" in await refused([["dm", ",".join(NAMES)]])


@pytest.mark.parametrize("path", ["messages", "messages/matches_narrow"])
async def test_more_messages_than_zulip_returns_are_refused_in_its_words(server: InProcessServer, path: str) -> None:
    hamlet = await server.add_person("hamlet")
    ids = [1] * (MOST_MESSAGES + 1)
    answer = await call(server, hamlet, "GET", path, message_ids=ids, msg_ids=ids, narrow=[])
    assert (answer.status, answer.message) == (400, f"Too many messages requested (maximum {MOST_MESSAGES}).")
