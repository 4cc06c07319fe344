"""Each call: its method, path and values as Zulip documents them, and its typed result. For both clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from keybearer import Credentials, Secret
from keybearer.client.models.messages import Message
from keybearer.errors import APIError, UnusableRequest
from tests.client.callers import Opener
from tests.client.scripted_server import KEY, PROFILE, ScriptedServer, error, html, success

USER: Mapping[str, Any] = {"user_id": 8, "email": "iago@example.com", "full_name": "Iago"}
MESSAGE: Mapping[str, Any] = {"id": 5, "type": "stream", "content": "soup", "sender_id": 8}
NARROW = [["channel", "general"]]

CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], str, str, dict[str, str], dict[str, Any]]] = [
    ("get_users", (), {}, "GET", "users", {}, {"members": [USER]}),
    ("get_members", ({"client_gravatar": False},), {}, "GET", "users", {"client_gravatar": "false"}, {"members": []}),
    ("get_user_by_id", (8,), {}, "GET", "users/8", {}, {"user": USER}),
    ("get_user_by_email", ("iago+x@example.com",), {}, "GET", "users/iago+x@example.com", {}, {"user": USER}),
    ("create_user", ({"email": "x@example.com", "password": "p", "full_name": "X"},), {}, "POST", "users",
     {"email": "x@example.com", "password": "p", "full_name": "X"}, {"user_id": 9}),
    ("update_user_by_id", (8,), {"role": 600}, "PATCH", "users/8", {"role": "600"}, {}),
    ("deactivate_user_by_id", (8,), {}, "DELETE", "users/8", {}, {}),
    ("reactivate_user_by_id", (8,), {}, "POST", "users/8/reactivate", {}, {}),
    ("deactivate_own_user", (), {}, "DELETE", "users/me", {}, {}),
    ("update_presence", ({"status": "active"},), {}, "POST", "users/me/presence", {"status": "active"}, {}),
    ("get_bots", (), {}, "GET", "bots", {}, {"bots": [{"username": "b@example.com", "full_name": "B"}]}),
    ("create_bot", ("B", "b"), {"bot_type": 3, "payload_url": "https://x.example/"}, "POST", "bots",
     {"full_name": "B", "short_name": "b", "bot_type": "3", "payload_url": '"https://x.example/"'},
     {"user_id": 9, "api_key": KEY}),
    ("update_bot", (9,), {"bot_owner_id": 8, "service_payload_url": "https://y.example/"}, "PATCH", "bots/9",
     {"bot_owner_id": "8", "service_payload_url": '"https://y.example/"'}, {}),
    ("deactivate_bot", (9,), {}, "DELETE", "bots/9", {}, {}),
    ("reactivate_bot", (9,), {}, "POST", "users/9/reactivate", {}, {}),
    ("regenerate_bot_api_key", (9,), {}, "POST", "bots/9/api_key/regenerate", {}, {"api_key": KEY}),
    ("send_message", ({"type": "stream", "to": "general", "topic": "lunch", "content": "soup"},), {}, "POST",
     "messages", {"type": "stream", "to": "general", "topic": "lunch", "content": "soup"}, {"id": 5}),
    ("send_message", (), {"to": ["a@example.com"], "content": "soup"}, "POST", "messages",
     {"type": "private", "to": '["a@example.com"]', "content": "soup"}, {"id": 5}),
    ("send_message", (), {"to": "a@example.com", "content": "soup"}, "POST", "messages",
     {"type": "private", "to": '["a@example.com"]', "content": "soup"}, {"id": 5}),
    ("get_messages", ({"anchor": "newest", "num_before": 1, "num_after": 0, "narrow": NARROW},), {}, "GET",
     "messages", {"anchor": "newest", "num_before": "1", "num_after": "0", "narrow": '[["channel","general"]]'},
     {"messages": [MESSAGE], "found_newest": True}),
    ("get_raw_message", (5,), {}, "GET", "messages/5", {}, {"raw_content": "*soup*", "message": MESSAGE}),
    ("update_message", ({"message_id": 5, "content": "stew"},), {}, "PATCH", "messages/5",
     {"message_id": "5", "content": "stew"}, {}),
    ("delete_message", (5,), {}, "DELETE", "messages/5", {}, {}),
    ("add_reaction", ({"message_id": 5, "emoji_name": "octopus"},), {}, "POST", "messages/5/reactions",
     {"message_id": "5", "emoji_name": "octopus"}, {}),
    ("remove_reaction", ({"message_id": 5, "emoji_name": "octopus"},), {}, "DELETE", "messages/5/reactions",
     {"message_id": "5", "emoji_name": "octopus"}, {}),
    ("update_message_flags", ({"messages": [5], "op": "add", "flag": "read"},), {}, "POST", "messages/flags",
     {"messages": "[5]", "op": "add", "flag": "read"}, {}),
    ("render_message", ({"content": "*soup*"},), {}, "POST", "messages/render", {"content": "*soup*"},
     {"rendered": "<p><em>soup</em></p>"}),
    ("set_typing_status", ({"op": "start", "to": [8]},), {}, "POST", "typing", {"op": "start", "to": "[8]"}, {}),
    ("get_streams", (), {"include_public": True}, "GET", "streams", {"include_public": "true"},
     {"streams": [{"stream_id": 3, "name": "general"}]}),
    ("get_stream_id", ("general",), {}, "GET", "get_stream_id", {"stream": "general"}, {"stream_id": 3}),
    ("get_stream_topics", (3,), {}, "GET", "users/me/3/topics", {}, {"topics": [{"name": "lunch", "max_id": 5}]}),
    ("update_stream", ({"stream_id": 3, "description": "x"},), {}, "PATCH", "streams/3",
     {"stream_id": "3", "description": "x"}, {}),
    ("delete_stream", (3,), {}, "DELETE", "streams/3", {}, {}),
    ("get_subscriptions", (), {}, "GET", "users/me/subscriptions", {},
     {"subscriptions": [{"stream_id": 3, "name": "general"}]}),
    ("add_subscriptions", ([{"name": "general"}],), {"principals": [8]}, "POST", "users/me/subscriptions",
     {"subscriptions": '[{"name":"general"}]', "principals": "[8]"},
     {"subscribed": {"8": ["general"]}, "already_subscribed": {}}),
    ("remove_subscriptions", (["general"],), {}, "DELETE", "users/me/subscriptions", {"subscriptions": '["general"]'},
     {"removed": ["general"], "not_removed": []}),
    ("register", (["message"], NARROW), {"fetch_event_types": []}, "POST", "register",
     {"event_types": '["message"]', "narrow": '[["channel","general"]]', "fetch_event_types": "[]"},
     {"queue_id": "q1", "last_event_id": -1}),
    ("get_events", (), {"queue_id": "q1", "last_event_id": 3, "dont_block": True}, "GET", "events",
     {"queue_id": "q1", "last_event_id": "3", "dont_block": "true"}, {"events": [{"id": 4, "type": "heartbeat"}]}),
    ("deregister", ("q1",), {}, "DELETE", "events", {"queue_id": "q1"}, {}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_each_call_is_sent_as_zulip_documents_it(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, case: Any
) -> None:
    name, args, kwargs, method, path, parameters, answer = case
    server.otherwise = success(**answer)
    result = getattr(open_client(credentials), name)(*args, **kwargs)
    (seen,) = server.seen
    assert (seen.method, seen.path) == (method, f"/api/v1/{path}")
    assert (seen.query if method == "GET" else seen.form) == parameters
    assert KEY not in repr(result)


def test_a_list_can_be_iterated_counted_and_indexed(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = success(members=[USER, {**USER, "user_id": 9, "is_bot": True}])
    members = open_client(credentials).get_users()
    assert [one.user_id for one in members] == [8, 9]
    assert (len(members), members[1].is_bot, members["members"][0]["email"]) == (2, True, "iago@example.com")


def test_a_message_has_its_topic_and_all_other_fields(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = success(messages=[{**MESSAGE, "subject": "lunch", "edit_history": []}], found_newest=True)
    (message,) = open_client(credentials).get_messages(anchor="newest", num_before=1, num_after=0)
    assert isinstance(message, Message)
    assert (message.topic, message["edit_history"]) == ("lunch", [])


def test_a_new_key_of_a_bot_is_a_secret(open_client: Opener, server: ScriptedServer, credentials: Credentials) -> None:
    server.otherwise = success(api_key=KEY)
    assert open_client(credentials).regenerate_bot_api_key(9) == Secret(KEY)


@pytest.mark.parametrize("request_", [{}, {"message_id": "five"}, {"message_id": None}])
def test_a_call_without_a_message_id_is_refused(open_client: Opener, credentials: Credentials, request_: Any) -> None:
    with pytest.raises(UnusableRequest, match="message_id"):
        open_client(credentials).update_message(request_)


def test_channels_to_subscribe_to_may_be_named_without_a_dict(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = success(subscribed={}, already_subscribed={})
    open_client(credentials).add_subscriptions(["general", {"name": "random", "description": "x"}])
    assert server.seen[0].form == {"subscriptions": '[{"name":"general"},{"name":"random","description":"x"}]'}


# Bots' keys, on servers of different ages


def test_a_bots_key_is_fetched_from_its_endpoint(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = success(api_key=KEY)
    assert open_client(credentials).get_bot_api_key(9) == Secret(KEY)
    assert server.paths == ["/api/v1/bots/9/api_key"]


def test_a_bots_key_is_found_in_the_state_of_an_older_server(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    bots = [{"user_id": 4, "api_key": "x" * 32}, {"user_id": 9, "api_key": KEY}]
    server.script = [
        html(404),
        success(zulip_version="11.0", zulip_feature_level=372),
        success(queue_id="q1", last_event_id=-1, realm_bots=bots),
        success(),
    ]
    assert open_client(credentials).get_bot_api_key(9) == Secret(KEY)
    assert server.seen[2].form == {"event_types": '["realm_bot"]', "fetch_event_types": '["realm_bot"]'}
    assert (server.seen[3].method, server.seen[3].form) == ("DELETE", {"queue_id": "q1"})


def test_a_bots_key_that_an_older_server_does_not_show_is_reported(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.script = [
        html(404),
        success(zulip_version="11.0", zulip_feature_level=372),
        success(queue_id="q1", last_event_id=-1, realm_bots=[]),
        success(),
    ]
    with pytest.raises(APIError, match="no key for bot 9"):
        open_client(credentials).get_bot_api_key(9)


def test_a_refused_bot_key_is_not_requested_in_another_way(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = error(400, "Insufficient permission")
    with pytest.raises(APIError, match="Insufficient permission"):
        open_client(credentials).get_bot_api_key(9)
    assert len(server.seen) == 1


def test_own_bots_include_deactivated_ones(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    members = [
        {**USER, "user_id": 9, "is_bot": True, "bot_owner_id": 7, "is_active": False},
        {**USER, "user_id": 10, "is_bot": True, "bot_owner_id": 8},
        {**USER, "user_id": 11},
    ]
    server.script = [success(**PROFILE), success(members=members)]
    assert [one.user_id for one in open_client(credentials).get_own_bots()] == [9]
