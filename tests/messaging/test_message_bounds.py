"""The cost of a message is limited: its HTML, its earlier versions, a page of messages, and what a narrow asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.limits import MOST_TEXT, Cap
from keybearer.server.domain.messaging.channels import DESCRIPTION_MAX_LENGTH
from keybearer.server.domain.messaging.messages import CONTENT_MAX_LENGTH
from keybearer.server.domain.messaging.narrows import MOST_WORDS, SEARCH_MAX_LENGTH
from keybearer.server.services.messaging import subscriptions
from keybearer.server.services.messaging.sending import Draft, ToChannel, ToPeople, send
from keybearer.server.services.messaging.subscriptions import NewChannel
from tests.asgi import call
from tests.in_process import InProcessServer, Known
from tests.server.shapes import TEXTS

LONGEST = ("word *stress* " * 1000)[:CONTENT_MAX_LENGTH]


async def found(server: InProcessServer, who: Known, **fields: object) -> dict[str, Any]:
    answer = await call(server, who, "GET", "messages", **{"num_before": 0, "num_after": 0, **fields})
    assert answer.status == 200, answer.text[:500]
    page: dict[str, Any] = json.loads(answer.body)
    return page


async def send_to_self(server: InProcessServer, who: Known, text: str) -> int:
    return await send(server.context, Caller(who.account), Draft(ToPeople((who.id,)), text))


@pytest.mark.parametrize("shape", ["a table", "references"])
async def test_a_text_that_would_become_too_much_html_is_not_sent_saved_or_rendered(
    server: InProcessServer, shape: str
) -> None:
    hamlet, text = await server.add_person("hamlet"), TEXTS[shape](CONTENT_MAX_LENGTH)
    sent = await send_to_self(server, hamlet, "before")
    answers = [
        await call(server, hamlet, "POST", "messages", type="direct", to=[hamlet.id], content=text),
        await call(server, hamlet, "PATCH", f"messages/{sent}", content=text),
        await call(server, hamlet, "POST", "messages/render", content=text),
    ]
    assert {(answer.status, answer.message) for answer in answers} == {(400, "Unable to render message")}
    page = await found(server, hamlet, anchor="newest", num_before=10)
    assert [message["content"] for message in page["messages"]] == ["<p>before</p>"]


async def test_a_longer_text_is_rendered_as_it_would_be_sent(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    answer = await call(server, hamlet, "POST", "messages/render", content=LONGEST * 5)
    sent = await send_to_self(server, hamlet, LONGEST * 5)
    page = await found(server, hamlet, anchor=sent)
    assert json.loads(answer.body)["rendered"] == page["messages"][0]["content"]
    assert page["messages"][0]["content"].endswith("[message truncated]</p>")


async def test_many_edits_of_a_long_message_do_not_make_a_long_answer_but_are_all_in_its_history(
    server: InProcessServer,
) -> None:
    hamlet = await server.add_person("hamlet")
    sent = await send_to_self(server, hamlet, LONGEST)
    for number in range(25):
        assert (
            await call(server, hamlet, "PATCH", f"messages/{sent}", content=f"{number} {LONGEST[:-9]}")
        ).status == 200
    answer = await call(server, hamlet, "GET", f"messages/{sent}")
    assert len(answer.body) < 4 * CONTENT_MAX_LENGTH
    edits = json.loads(answer.body)["message"]["edit_history"]
    assert len(edits) == 25
    assert all(len(edit["prev_content"]) <= 200 for edit in edits)
    history = json.loads((await call(server, hamlet, "GET", f"messages/{sent}/history")).body)["message_history"]
    assert [version["content"][:3] for version in history[1:]] == [f"{number} {LONGEST}"[:3] for number in range(25)]
    assert history[0]["content"] == LONGEST.rstrip()


async def test_an_edit_beyond_the_room_for_earlier_versions_is_refused_and_changes_nothing(
    server: InProcessServer,
) -> None:
    hamlet, text = await server.add_person("hamlet"), (":tada: " * 1200)
    sent = await send_to_self(server, hamlet, text)
    number, answer = 0, await call(server, hamlet, "PATCH", f"messages/{sent}", content=f"0 {text}")
    while answer.status == 200:
        number += 1
        answer = await call(server, hamlet, "PATCH", f"messages/{sent}", content=f"{number} {text}")
    assert (answer.status, answer.message) == (
        400,
        Cap.EDITS_TEXT.refusal(),
    )
    history = await call(server, hamlet, "GET", f"messages/{sent}/history")
    assert len(json.loads(history.body)["message_history"]) == number + 1
    assert len(history.body) < 4 * Cap.EDITS_TEXT.most
    move = await call(server, hamlet, "GET", f"messages/{sent}")
    assert json.loads(move.body)["raw_content"].startswith(f"{number - 1} ")


async def test_a_page_of_long_messages_is_cut_and_says_so_and_the_next_page_follows(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    text = ":tada: " * 1200
    sent = [await send_to_self(server, hamlet, text) for _ in range(60)]
    page = await found(server, hamlet, anchor="newest", num_before=5000)
    assert page["found_newest"]
    assert not page["found_oldest"]
    size = sum(len(message["content"]) for message in page["messages"])
    assert MOST_TEXT / 2 < size < 1.5 * MOST_TEXT
    read: list[int] = []
    while not page["found_oldest"]:
        read = [message["id"] for message in page["messages"]] + read
        page = await found(server, hamlet, anchor=read[0], num_before=5000, include_anchor=False)
    assert [message["id"] for message in page["messages"]] + read == sent
    page = await found(server, hamlet, anchor="oldest", num_after=5000)
    assert (page["found_oldest"], page["found_newest"]) == (True, False)
    assert [message["id"] for message in page["messages"]] == sent[: len(page["messages"])]
    answer = await call(server, hamlet, "GET", "messages", message_ids=sent)
    assert (answer.status, answer.message) == (
        400,
        "These messages are too long for one answer. Ask for fewer of them.",
    )
    answer = await call(server, hamlet, "GET", "messages", message_ids=sent[:20])
    assert len(json.loads(answer.body)["messages"]) == 20


async def test_a_queue_gets_many_long_events_in_several_answers_in_order(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    options = {"event_types": ["message"], "apply_markdown": True, "fetch_event_types": []}
    queue = json.loads((await call(server, hamlet, "POST", "register", **options)).body)
    sent = [await send_to_self(server, hamlet, ":tada: " * 1200) for _ in range(90)]
    told: list[int] = []
    last, sizes = queue["last_event_id"], list[int]()
    while len(told) < len(sent):
        poll = {"queue_id": queue["queue_id"], "last_event_id": last, "dont_block": True}
        answer = await call(server, hamlet, "GET", "events", **poll)
        events = json.loads(answer.body)["events"]
        assert events
        told += [event["message"]["id"] for event in events]
        last = events[-1]["id"]
        sizes.append(len(answer.body))
    assert told == sent
    assert len(sizes) > 1
    assert max(sizes) < 10_000_000


async def test_words_of_a_search_are_capped(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    sent = await send_to_self(server, hamlet, " ".join(f"word{number}" for number in range(MOST_WORDS + 1)))
    words = [f"word{number}" for number in range(MOST_WORDS + 1)]
    page = await found(server, hamlet, anchor="newest", num_before=9, narrow=[["search", " ".join(words[:-1])]])
    assert [message["id"] for message in page["messages"]] == [sent]
    for narrow, why in (
        ([["search", " ".join(words)]], f"more than {MOST_WORDS} words"),
        ([["search", " ".join(words[:30])]] * 2, f"more than {MOST_WORDS} words"),
        ([["search", "x" * (SEARCH_MAX_LENGTH + 1)]], f"more than {SEARCH_MAX_LENGTH} characters"),
    ):
        answer = await call(
            server, hamlet, "GET", "messages", anchor="newest", num_before=9, num_after=0, narrow=narrow
        )
        assert (answer.status, why in answer.message) == (400, True)


async def test_a_narrow_to_people_finds_conversations_that_include_all_of_them(server: InProcessServer) -> None:
    people = [await server.add_person(name) for name in ("hamlet", "ophelia", "horatio")]
    who, ids = Caller(people[0].account), [each.id for each in people]
    both = await send(server.context, who, Draft(ToPeople(tuple(ids)), "to both"))
    one = await send(server.context, who, Draft(ToPeople((ids[0], ids[1])), "to one"))

    async def narrowed(operand: object) -> list[int]:
        page = await found(server, people[0], anchor="newest", num_before=9, narrow=[["dm-including", operand]])
        return [message["id"] for message in page["messages"]]

    assert await narrowed([ids[1]]) == [both, one]
    assert await narrowed([ids[1], ids[2]]) == [both]
    assert await narrowed([ids[1]] * 5000) == [both, one]


async def test_the_total_length_of_descriptions_is_capped(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    count = Cap.DESCRIPTIONS.most // DESCRIPTION_MAX_LENGTH + 1
    wanted = [{"name": f"channel {each}", "description": "x" * DESCRIPTION_MAX_LENGTH} for each in range(count)]
    answer = await call(server, hamlet, "POST", "users/me/subscriptions", subscriptions=wanted)
    assert (answer.status, f"longer than {Cap.DESCRIPTIONS.most} characters" in answer.message) == (400, True)
    assert json.loads((await call(server, hamlet, "GET", "streams")).body)["streams"] == []
    await subscriptions.follow(server.context, Caller(hamlet.account), [NewChannel("one", "*what*   it is for")])
    (channel,) = json.loads((await call(server, hamlet, "GET", "streams")).body)["streams"]
    assert (channel["description"], channel["rendered_description"]) == (
        "*what* it is for",
        "<p><em>what</em> it is for</p>",
    )


async def test_text_after_the_longest_possible_name_is_ignored(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    await subscriptions.follow(server.context, Caller(hamlet.account), [NewChannel("Cafe\u0301")])
    await send(server.context, Caller(hamlet.account), Draft(ToChannel("CAFÉ", "t"), "text"))
    for name in ("\u0315\u0300" * 50_000, "é" * 100_000):
        answer = await call(server, hamlet, "GET", "get_stream_id", stream=name)
        assert (answer.status, answer.message[:20]) == (400, "Invalid channel name")
        answer = await call(server, hamlet, "POST", "users/me/subscriptions", subscriptions=[{"name": name}])
        assert (answer.status, answer.message) == (400, "Channel name too long (limit: 60 characters).")
