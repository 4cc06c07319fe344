"""Zulip's own Python bindings beside ours, against one server: where theirs are right, ours do the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import zulip

from keybearer import Client, Credentials
from keybearer.client.models.base import Answer
from tests.client.scripted_server import EMAIL, KEY, ScriptedServer, Seen, success
from tests.client.test_operations import CASES, MESSAGE
from tests.client.zulip_queue import LOST, ZulipQueue, heartbeat, message_event

SHARED = [case for case in CASES if hasattr(zulip.Client, case[0]) and not (case[0] == "send_message" and not case[1])]


def their_client(server: ScriptedServer) -> zulip.Client:
    server.script = [success(zulip_version="11.0", zulip_feature_level=372)]
    client = zulip.Client(email=EMAIL, api_key=KEY, site=server.site)
    server.seen.clear()
    return client


def essence(seen: Seen) -> tuple[str, str, dict[str, str], dict[str, str]]:
    return (
        seen.method,
        seen.path,
        {k: v.replace(" ", "") for k, v in seen.query.items()},
        {k: v.replace(" ", "") for k, v in seen.form.items()},
    )


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case[0])
def test_the_same_call_makes_the_same_request_and_has_the_same_result(
    server: ScriptedServer, credentials: Credentials, case: Any
) -> None:
    name, args, kwargs, _, _, _, answer = case
    theirs = their_client(server)
    server.otherwise = success(**answer)
    their_result = getattr(theirs, name)(*args, **kwargs)
    with Client(credentials) as ours:
        our_result = getattr(ours, name)(*args, **kwargs)
    their_request, our_request = server.seen
    assert essence(our_request) == essence(their_request)
    assert our_request.headers["authorization"] == their_request.headers["authorization"]
    if isinstance(our_result, Answer):
        assert all(our_result[field] == value for field, value in their_result.items())


def test_a_file_is_uploaded_with_the_same_content(server: ScriptedServer, credentials: Credentials) -> None:
    class Named(io.BytesIO):
        name = "soup.txt"

    theirs = their_client(server)
    server.otherwise = success(uri="/user_uploads/1/soup.txt")
    with Client(credentials) as ours:
        assert dict(ours.upload_file(Named(b"hot"))) == theirs.upload_file(Named(b"hot"))
    our_request, their_request = server.seen
    for seen in (our_request, their_request):
        assert seen.headers["content-type"].startswith("multipart/form-data")
        assert b'filename="soup.txt"' in seen.body
        assert b"hot" in seen.body


class Stop(Exception):
    """What the callbacks end the loop with; theirs swallow nothing of the kind either."""


def listen(call: Callable[[Callable[[Any], None]], object], count: int) -> list[tuple[str, str]]:
    got: list[tuple[str, str]] = []

    def callback(message: Any) -> None:
        got.append((message["content"], message["sender_email"]))
        if len(got) == count:
            raise Stop

    with pytest.raises(Stop):
        call(callback)
    return got


def test_a_bot_written_for_the_bindings_hears_the_same_messages(
    server: ScriptedServer, credentials: Credentials
) -> None:
    def polls() -> ZulipQueue:
        return ZulipQueue([message_event(0, "one"), heartbeat(1)], LOST, [message_event(0, "two")])

    theirs = their_client(server)
    server.otherwise = polls()
    heard_by_theirs = listen(theirs.call_on_each_message, 2)
    server.otherwise = polls()
    with Client(credentials) as ours:
        heard_by_ours = listen(ours.call_on_each_message, 2)
    assert heard_by_ours == heard_by_theirs == [("one", "iago@example.com"), ("two", "iago@example.com")]


def test_a_message_of_theirs_is_answered_the_way_bots_do(server: ScriptedServer, credentials: Credentials) -> None:
    """What a bot does with a message: it reads fields by their names and sends a dict back."""
    server.otherwise = success(messages=[{**MESSAGE, "display_recipient": "general", "subject": "lunch"}], id=6)
    with Client(credentials) as ours:
        (message,) = ours.get_messages({"anchor": "newest", "num_before": 1, "num_after": 0})["messages"]
        result = ours.send_message(
            {
                "type": message["type"],
                "to": message["display_recipient"],
                "topic": message["subject"],
                "content": "thanks",
            }
        )
    assert result["result"] == "success"
    assert server.seen[1].form == {"type": "stream", "to": "general", "topic": "lunch", "content": "thanks"}
