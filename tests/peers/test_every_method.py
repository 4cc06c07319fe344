"""Every method of Zulip's own client works, or is refused in the one way that is documented."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import zulip

from keybearer.testing import Participant, Server, running_server

Answer = dict[str, Any]


@dataclass
class Cast:
    """The owner's client of Zulip's and somebody else, on a server of ours with a message in a channel."""

    client: zulip.Client
    other: Participant
    owner_id: int
    message_id: int

    def file(self, name: str = "zulip.txt") -> io.BytesIO:
        """A file as the client takes it."""
        file = io.BytesIO(b"content")
        file.name = name
        return file

    def endpoint(self, method: str, url: str, **request: Any) -> Answer:
        """A call that the client has no method for, as the documentation's examples make it."""
        answer: Answer = self.client.call_endpoint(url=url, method=method, request=request)
        return answer

    def sent(self, topic: str = "example") -> int:
        """A new message of the owner's; returns its id."""
        request = {"type": "stream", "to": "general", "topic": topic, "content": "an example"}
        message_id: int = self.client.send_message(request)["id"]
        return message_id


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture(scope="module")
def cast(server: Server) -> Cast:
    client = zulip.Client(config_file=str(server.owner.zuliprc), client="test")
    other = server.add_person("Iago Other")
    return Cast(client, other, server.owner.id, server.owner.send("x", to="general", topic="example"))


NARROW = [{"operator": "channel", "operand": "general"}]
EMOJI = {"emoji_name": "octopus"}

WORKS: dict[str, Callable[[Cast], Answer]] = {
    "get_messages": lambda c: c.client.get_messages(
        {"anchor": "newest", "num_before": 5, "num_after": 0, "narrow": NARROW}
    ),
    "check_messages_match_narrow": lambda c: c.client.check_messages_match_narrow(
        msg_ids=[c.message_id],  # type: ignore[arg-type]
        narrow=[["has", "link"]],  # type: ignore[arg-type]
    ),
    "get_raw_message": lambda c: c.client.get_raw_message(c.message_id),
    "send_message": lambda c: c.client.send_message({"type": "direct", "to": [c.other.id], "content": "hello"}),
    "upload_file": lambda c: c.client.upload_file(c.file()),
    "get_attachments": lambda c: c.client.get_attachments(),
    "update_message": lambda c: c.client.update_message({"message_id": c.sent(), "content": "changed"}),
    "delete_message": lambda c: c.client.delete_message(c.sent()),
    "update_message_flags": lambda c: c.client.update_message_flags(
        {"messages": [c.message_id], "op": "add", "flag": "starred"}
    ),
    "mark_all_as_read": lambda c: c.client.mark_all_as_read(),
    "mark_stream_as_read": lambda c: c.client.mark_stream_as_read(1),
    "mark_topic_as_read": lambda c: c.client.mark_topic_as_read(1, "example"),
    "get_message_history": lambda c: c.client.get_message_history(c.message_id),
    "add_reaction": lambda c: c.client.add_reaction({"message_id": c.message_id, **EMOJI}),
    "remove_reaction": lambda c: c.client.remove_reaction({"message_id": c.message_id, **EMOJI}),
    "get_realm_emoji": lambda c: c.client.get_realm_emoji(),
    "get_realm_linkifiers": lambda c: c.client.get_realm_linkifiers(),
    "get_realm_profile_fields": lambda c: c.client.get_realm_profile_fields(),
    "get_server_settings": lambda c: c.client.get_server_settings(),
    "get_events": lambda c: c.client.get_events(
        queue_id=c.client.register()["queue_id"], last_event_id=-1, dont_block=True
    ),
    "register": lambda c: c.client.register(event_types=["message"]),
    "deregister": lambda c: c.client.deregister(c.client.register()["queue_id"]),
    "get_profile": lambda c: c.client.get_profile(),
    "update_presence": lambda c: c.client.update_presence({"status": "active", "ping_only": False}),
    "get_user_presence": lambda c: c.client.get_user_presence(str(c.owner_id)),
    "get_realm_presence": lambda c: c.client.get_realm_presence(),
    "get_streams": lambda c: c.client.get_streams(include_public=True),
    "update_stream": lambda c: c.client.update_stream({"stream_id": 1, "description": "New description"}),
    "add_subscriptions": lambda c: c.client.add_subscriptions([{"name": "new channel"}, {"name": "old channel"}]),
    "delete_stream": lambda c: c.client.delete_stream(c.client.get_stream_id("old channel")["stream_id"]),
    "add_default_stream": lambda c: c.client.add_default_stream(1),
    "get_user_by_id": lambda c: c.client.get_user_by_id(c.other.id),
    "update_user_by_id": lambda c: c.client.update_user_by_id(c.other.id, full_name="New Name"),
    "create_user": lambda c: c.client.create_user(
        {"email": "newbie@zulip.com", "password": "temp and long 8321", "full_name": "New User"}
    ),
    "deactivate_user_by_id": lambda c: c.client.deactivate_user_by_id(c.other.id),
    "reactivate_user_by_id": lambda c: c.client.reactivate_user_by_id(c.other.id),
    "get_users": lambda c: c.client.get_users({"include_custom_profile_fields": True}),
    "get_members": lambda c: c.client.get_members(),
    "add_alert_words": lambda c: c.client.add_alert_words(["foo", "bar"]),
    "get_alert_words": lambda c: c.client.get_alert_words(),
    "remove_alert_words": lambda c: c.client.remove_alert_words(["foo"]),
    "get_subscriptions": lambda c: c.client.get_subscriptions(),
    "list_subscriptions": lambda c: c.client.list_subscriptions(),
    "remove_subscriptions": lambda c: c.client.remove_subscriptions(["new channel"]),
    "get_subscription_status": lambda c: c.client.get_subscription_status(user_id=c.owner_id, stream_id=1),
    "mute_topic": lambda c: c.client.mute_topic({"stream": "general", "topic": "boat party", "op": "add"}),
    "update_subscription_settings": lambda c: c.client.update_subscription_settings(
        [{"stream_id": 1, "property": "pin_to_top", "value": True}]
    ),
    "update_notification_settings": lambda c: c.client.update_notification_settings({"enable_login_emails": True}),
    "get_stream_id": lambda c: c.client.get_stream_id("general"),
    "get_stream_topics": lambda c: c.client.get_stream_topics(1),
    "get_user_groups": lambda c: c.client.get_user_groups(),
    "get_subscribers": lambda c: c.client.get_subscribers(stream="general"),
    "render_message": lambda c: c.client.render_message({"content": "**foo**"}),
    "update_storage": lambda c: c.client.update_storage({"storage": {"foo": "bar"}}),
    "get_storage": lambda c: c.client.get_storage(),
    "set_typing_status": lambda c: c.client.set_typing_status({"op": "start", "to": [c.other.id]}),
    "move_topic": lambda c: c.client.move_topic("general", "new channel", "moving") if c.sent("moving") else {},
}
"""The methods of the client that work, in an order in which each has what it needs."""

REFUSED: dict[str, Callable[[Cast], Answer]] = {
    "upload_custom_emoji": lambda c: c.client.upload_custom_emoji("my_emoji", c.file("emoji.png")),
    "delete_custom_emoji": lambda c: c.client.delete_custom_emoji("my_emoji"),
    "add_realm_filter": lambda c: c.client.add_realm_filter("#(?P<id>[0-9]+)", "https://x.org/{id}"),
    "remove_realm_filter": lambda c: c.client.remove_realm_filter(1),
    "create_realm_profile_field": lambda c: c.client.create_realm_profile_field(name="Phone", field_type=1),
    "remove_realm_profile_field": lambda c: c.client.remove_realm_profile_field(1),
    "reorder_realm_profile_fields": lambda c: c.client.reorder_realm_profile_fields(order=[1, 2]),
    "update_realm_profile_field": lambda c: c.client.update_realm_profile_field(1, name="Phone"),
    "get_stream_email_address": lambda c: c.client.get_stream_email_address(1),
    "create_user_group": lambda c: c.client.create_user_group(
        {"name": "marketing", "description": "Marketing.", "members": [c.owner_id]}
    ),
    "update_user_group": lambda c: c.client.update_user_group({"group_id": 1, "name": "sales"}),
    "remove_user_group": lambda c: c.client.remove_user_group(1),
    "update_user_group_members": lambda c: c.client.update_user_group_members(1, {"add": [c.owner_id]}),
}
"""Those that are refused."""

NO_CALLS = {
    "call_endpoint", "call_on_each_event", "call_on_each_message", "do_api_query", "ensure_session",
    "get_server_version_and_feature_level", "get_user_agent", "close",
}  # fmt: skip
"""Those that are no call of their own."""


IN_THE_PATH = {"message_id", "stream_id", "stream"}
"""What some methods send a second time, beside the path that names it."""

NOTICES = {"send_notification_to_old_thread", "send_notification_to_new_thread"}
"""What `move_topic` asks for, and nobody sends here."""


def test_every_method_of_the_client_is_among_these() -> None:
    methods = {name for name, _ in inspect.getmembers(zulip.Client, inspect.isfunction) if not name.startswith("_")}
    assert methods - NO_CALLS == WORKS.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", WORKS)
def test_a_method_of_the_client_works(cast: Cast, name: str) -> None:
    answer = WORKS[name](cast)
    assert answer["result"] == "success", answer
    assert set(answer.get("ignored_parameters_unsupported", ())) <= IN_THE_PATH | NOTICES, answer


@pytest.mark.parametrize("name", REFUSED)
def test_a_method_of_the_client_that_is_not_available_is_refused(cast: Cast, name: str) -> None:
    answer = REFUSED[name](cast)
    assert (answer["result"], answer.get("code")) == ("error", "NOT_AVAILABLE"), answer


CALLS: dict[str, Callable[[Cast], Answer]] = {
    "follow a topic": lambda c: c.endpoint("POST", "user_topics", stream_id=1, topic="lunch", visibility_policy=3),
    "update settings": lambda c: c.endpoint("PATCH", "settings", timezone="Europe/Prague"),
    "update the organization": lambda c: c.endpoint("PATCH", "realm", name="Zulip Dev", description="New"),
}
"""Calls that the client has no method for, and the documentation no example in Python."""

REFUSED_CALLS: dict[str, tuple[str, str]] = {
    "schedule a message": ("POST", "scheduled_messages"),
    "get drafts": ("GET", "drafts"),
    "create a reminder": ("POST", "reminders"),
    "update somebody's status": ("POST", "users/1/status"),
    "create a channel folder": ("POST", "channel_folders/create"),
    "set defaults of new users": ("PATCH", "realm/user_settings_defaults"),
}


@pytest.mark.parametrize("name", CALLS)
def test_another_call_works(cast: Cast, name: str) -> None:
    answer = CALLS[name](cast)
    assert answer["result"] == "success", answer
    assert "ignored_parameters_unsupported" not in answer, answer


@pytest.mark.parametrize("name", REFUSED_CALLS)
def test_another_call_that_is_not_available_is_refused_in_the_documented_way(cast: Cast, name: str) -> None:
    method, url = REFUSED_CALLS[name]
    answer = cast.endpoint(method, url)
    assert (answer["result"], answer["code"]) == ("error", "NOT_AVAILABLE")
    assert answer["msg"].endswith(" are not available on this server.")
