"""Narrows are sent in the form that each endpoint accepts on servers of every feature level."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer import Credentials
from keybearer.client.operations.narrows import as_pairs, as_terms
from tests.client.callers import Opener
from tests.client.scripted_server import ScriptedServer, success
from tests.client.zulip_queue import ZulipQueue

OPERANDS = st.text() | st.integers() | st.lists(st.integers())
TERMS = st.tuples(st.text(), OPERANDS) | st.fixed_dictionaries(
    {"operator": st.text(), "operand": OPERANDS}, optional={"negated": st.booleans()}
)


def meaning(term: Any) -> tuple[object, object, bool]:
    if isinstance(term, dict):
        return (term["operator"], term["operand"], term.get("negated", False))
    return (term[0], term[1], False)


@given(st.lists(TERMS))
def test_the_form_of_a_narrow_changes_but_not_its_meaning(narrow: Any) -> None:
    for formed in (as_terms(narrow), as_pairs(narrow)):
        assert isinstance(formed, list)
        assert [meaning(term) for term in formed] == [meaning(term) for term in narrow]


@given(st.lists(TERMS))
def test_messages_get_pairs_of_texts_or_objects(narrow: Any) -> None:
    formed: Any = as_terms(narrow)
    assert all(isinstance(term, dict) or isinstance(term[1], str) for term in formed)


@pytest.mark.parametrize(
    ("narrow", "sent"),
    [
        ([["sender", 10]], [{"operator": "sender", "operand": 10}]),
        ([("id", 43)], [{"operator": "id", "operand": 43}]),
        ([["dm", [11]]], [{"operator": "dm", "operand": [11]}]),
        ([["channel", "general"], ["is", "dm"]], [["channel", "general"], ["is", "dm"]]),
    ],
)
def test_operands_that_are_not_text_are_sent_in_objects(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, narrow: Any, sent: Any
) -> None:
    server.otherwise = success(messages=[])
    client = open_client(credentials)
    client.get_messages(narrow=narrow)
    client.get_messages({"narrow": narrow})
    assert [json.loads(one.query["narrow"]) for one in server.seen] == [sent, sent]


def test_event_queues_get_pairs(open_client: Opener, server: ScriptedServer, credentials: Credentials) -> None:
    queue = server.otherwise = ZulipQueue()
    narrow = [{"operator": "channel", "operand": "general"}, {"operator": "is", "operand": "dm", "negated": False}]
    open_client(credentials).take_events(0, ["message"], narrow)
    assert json.loads(queue.registrations[0]["narrow"]) == [["channel", "general"], ["is", "dm"]]
