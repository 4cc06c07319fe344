"""Zulip's own Python bindings and our client with the same server: if theirs is right, ours does the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import zulip

from keybearer import Client, Credentials
from keybearer.client.models.base import Answer
from keybearer.errors import APIError, InvalidArgument, NotAZulipServer, Redirected, ServerFailed
from tests.client.scripted_server import EMAIL, KEY, Reply, ScriptedServer, Seen, error, html, success
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
def test_the_same_call_makes_the_same_request_and_returns_the_same_result(
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
    """The exception with which callbacks end the loop. The bindings do not catch it either."""


def listen(call: Callable[[Callable[[Any], None]], object], count: int) -> list[tuple[str, str]]:
    got: list[tuple[str, str]] = []

    def callback(message: Any) -> None:
        got.append((message["content"], message["sender_email"]))
        if len(got) == count:
            raise Stop

    with pytest.raises(Stop):
        call(callback)
    return got


def test_a_bot_for_the_bindings_gets_the_same_messages(server: ScriptedServer, credentials: Credentials) -> None:
    def polls() -> ZulipQueue:
        return ZulipQueue([message_event(0, "one"), heartbeat(1)], LOST, [message_event(0, "two")])

    theirs = their_client(server)
    server.otherwise = polls()
    heard_by_theirs = listen(theirs.call_on_each_message, 2)
    server.otherwise = polls()
    with Client(credentials) as ours:
        heard_by_ours = listen(ours.call_on_each_message, 2)
    assert heard_by_ours == heard_by_theirs == [("one", "iago@example.com"), ("two", "iago@example.com")]


def test_a_bot_for_the_bindings_can_answer_a_message(server: ScriptedServer, credentials: Credentials) -> None:
    """A bot reads fields of a message by their names and sends a dict back."""
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


def test_the_bindings_return_an_error_and_ours_raise_it(server: ScriptedServer, credentials: Credentials) -> None:
    theirs = their_client(server)
    server.otherwise = error(400, "No such message")
    assert theirs.delete_message(5)["result"] == "error"
    with Client(credentials) as ours, pytest.raises(APIError, match="No such message"):
        ours.delete_message(5)


def test_the_bindings_return_a_page_as_an_error_and_ours_raise_it(
    server: ScriptedServer, credentials: Credentials
) -> None:
    theirs = their_client(server)
    server.otherwise = html(200)
    assert theirs.get_profile()["result"] == "http-error"
    with Client(credentials) as ours, pytest.raises(NotAZulipServer):
        ours.get_profile()


def test_the_bindings_send_a_message_again_after_5xx_and_ours_do_not(
    server: ScriptedServer, credentials: Credentials
) -> None:
    message = {"type": "stream", "to": "general", "topic": "lunch", "content": "soup"}
    theirs = their_client(server)
    server.script = [html(502)]
    server.otherwise = success(id=5)
    theirs.send_message(message)
    assert [seen.form["content"] for seen in server.seen] == ["soup", "soup"]
    server.seen.clear()
    server.script = [html(502)]
    with Client(credentials) as ours, pytest.raises(ServerFailed):
        ours.send_message(message)
    assert len(server.seen) == 1


def test_the_bindings_give_up_when_calls_are_limited_and_ours_wait(
    server: ScriptedServer, credentials: Credentials
) -> None:
    theirs = their_client(server)
    limited = error(429, "Too many", "RATE_LIMIT_HIT", **{"retry-after": 0.01})
    server.script = [limited, limited]
    assert theirs.get_profile()["code"] == "RATE_LIMIT_HIT"
    with Client(credentials) as ours:
        assert ours.get_profile().user_id == 7


def test_the_bindings_turn_a_redirected_post_into_a_get_and_ours_refuse(
    server: ScriptedServer, credentials: Credentials
) -> None:
    moved = Reply(301, body=b"", headers={"Location": "/api/v1/messages/"})
    theirs = their_client(server)
    server.script = [moved]
    server.otherwise = success(messages=[])
    assert theirs.render_message({"content": "soup"})["result"] == "success"
    assert [seen.method for seen in server.seen] == ["POST", "GET"]
    server.script = [moved]
    with Client(credentials) as ours, pytest.raises(Redirected):
        ours.render_message({"content": "soup"})


def test_the_bindings_send_text_instead_of_a_list_and_ours_do_not(
    server: ScriptedServer, credentials: Credentials
) -> None:
    theirs = their_client(server)
    theirs.add_subscriptions("general")  # type: ignore[arg-type]  # the point of the test
    assert len(server.seen) == 1
    with Client(credentials) as ours, pytest.raises(InvalidArgument):
        ours.add_subscriptions("general")
    assert len(server.seen) == 1
