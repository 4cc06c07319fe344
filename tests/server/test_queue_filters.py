"""The filter of an event queue may be long, and there may be many events and many polls to compare it with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.messaging.narrows import Term, folded, matches
from keybearer.server.services.messaging.sending import Draft, ToChannel, send
from tests.in_process import InProcessServer
from tests.steps import most_steps_at_once

MOST_STEPS = 100_000
"""Calls of functions between two turns of other work: 500 events, each compared with 50 terms."""

EVENTS = 1500


async def test_a_poll_of_many_events_with_a_long_narrow_gives_other_work_turns(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    client = server.client()
    client.event_hooks = {}  # to check the answer takes many steps
    narrow = [[f"-{operator}", f"No {operator} {number}"] for number in range(25) for operator in ("topic", "sender")]
    options = {"event_types": '["message"]', "fetch_event_types": "[]", "narrow": json.dumps(narrow)}
    queue = (await client.post("/api/v1/register", auth=hamlet.auth, data=options)).json()
    await client.post("/api/v1/users/me/subscriptions", auth=hamlet.auth, data={"subscriptions": '[{"name": "hall"}]'})
    for _ in range(EVENTS):
        await send(server.context, Caller(hamlet.account), Draft(ToChannel("hall", "greetings"), "hello"))
    poll = {"queue_id": queue["queue_id"], "last_event_id": queue["last_event_id"], "dont_block": "true"}
    answer, most = await most_steps_at_once(client.get("/api/v1/events", auth=hamlet.auth, params=poll))
    assert len(answer.json()["events"]) == EVENTS
    assert most < MOST_STEPS


class Asked(Mapping[str, object]):
    """The fields of a message, and which of them were looked at, each time."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self.fields = fields
        self.names: list[str] = []

    def __getitem__(self, name: str) -> object:
        self.names.append(name)
        return self.fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)


def test_a_message_has_its_names_folded_once_for_a_narrow_of_many_terms() -> None:
    terms = folded([Term(operator, f"No {operator}", negated=True) for operator in ("channel", "topic") * 25])
    message = Asked({"type": "stream", "stream_id": 1, "display_recipient": "General", "subject": "Greetings"})
    assert matches(terms, message, ())
    assert [message.names.count(name) for name in ("display_recipient", "subject")] == [1, 1]


@pytest.mark.parametrize(
    "term",
    [
        Term("channel", "GENERAL"),
        Term("channel", 1),
        Term("topic", "Caf\u0065\u0301"),
        Term("sender", " Hamlet@Example.COM "),
        Term("sender", 7),
        Term("is", "unread"),
    ],
    ids=str,
)
def test_a_folded_term_finds_a_name_in_any_case_and_form(term: Term) -> None:
    message = {
        "type": "stream",
        "stream_id": 1,
        "display_recipient": "general",
        "subject": "café",
        "sender_email": "hamlet@example.com",
        "sender_id": 7,
    }
    assert matches(folded([term]), message, ())
    assert not matches(folded([Term(term.operator, term.operand, negated=True)]), message, ())
