"""Zulip's examples about messages and events, by the names that its documentation gives them."""

from __future__ import annotations

from tests.peers.examples.stage import Stage, ok, refused

OCTOPUS = {"emoji_name": "octopus"}


def render_message(stage: Stage) -> None:
    assert ok(stage.client.render_message({"content": "**foo**"}))["rendered"] == "<p><strong>foo</strong></p>"


def test_missing_request_argument(stage: Stage) -> None:
    refused(stage.client.render_message({}), code="REQUEST_VARIABLE_MISSING")


def send_message(stage: Stage) -> None:
    assert stage.raw(stage.sent("I come not, friends.")) == "I come not, friends."
    request = {"type": "private", "to": [stage.hamlet.id], "content": "With mirth and laughter."}
    assert stage.raw(ok(stage.client.send_message(request))["id"]) == "With mirth and laughter."


def test_nonexistent_stream_error(stage: Stage) -> None:
    request = {"type": "stream", "to": "nonexistent-channel", "topic": "Castle", "content": "friends"}
    refused(stage.client.send_message(request), code="STREAM_DOES_NOT_EXIST")


def test_private_message_invalid_recipient(stage: Stage) -> None:
    refused(stage.client.send_message({"type": "private", "to": "eeshan@zulip.com", "content": "mirth"}))


def update_message(stage: Stage) -> None:
    message_id = stage.sent()
    ok(stage.client.update_message({"message_id": message_id, "content": "New content"}))
    assert stage.raw(message_id) == "New content"


def test_update_message_edit_permission_error(stage: Stage) -> None:
    refused(stage.nonadmin.update_message({"message_id": stage.sent(), "content": "New content"}))


def delete_message(stage: Stage) -> None:
    message_id = stage.sent()
    ok(stage.client.delete_message(message_id))
    refused(stage.client.get_raw_message(message_id))


def test_delete_message_edit_permission_error(stage: Stage) -> None:
    refused(stage.nonadmin.delete_message(stage.sent()))


def get_raw_message(stage: Stage) -> None:
    message_id = stage.sent("**bold**")
    found = ok(stage.client.get_raw_message(message_id))
    assert (found["raw_content"], found["message"]["id"]) == ("**bold**", message_id)


def get_messages(stage: Stage) -> None:
    stage.client.send_message({"type": "stream", "to": "Verona", "topic": "balcony", "content": "Juliet"})
    narrow = [{"operator": "sender", "operand": stage.iago.email}, {"operator": "channel", "operand": "Verona"}]
    found = ok(stage.client.get_messages({"anchor": "newest", "num_before": 100, "num_after": 0, "narrow": narrow}))
    assert 0 < len(found["messages"]) <= 100
    assert {each["display_recipient"] for each in found["messages"]} == {"Verona"}


def check_messages_match_narrow(stage: Stage) -> None:
    linked, plain = stage.sent("http://foo.com"), stage.sent("no link here")
    request = {"msg_ids": [linked, plain], "narrow": [{"operator": "has", "operand": "link"}]}
    assert set(ok(stage.call("GET", "messages/matches_narrow", **request))["messages"]) == {str(linked)}


def get_message_history(stage: Stage) -> None:
    message_id = stage.sent("first")
    stage.client.update_message({"message_id": message_id, "content": "second"})
    history = ok(stage.client.get_message_history(message_id))["message_history"]
    assert [each["content"] for each in history] == ["first", "second"]


def get_read_receipts(stage: Stage) -> None:
    assert ok(stage.call("GET", f"messages/{stage.sent()}/read_receipts"))["user_ids"] == []


def add_reaction(stage: Stage) -> None:
    message_id = stage.sent()
    ok(stage.client.add_reaction({"message_id": message_id, **OCTOPUS}))
    [reaction] = stage.message(message_id)["reactions"]
    assert reaction["emoji_code"] == "1f419"


def remove_reaction(stage: Stage) -> None:
    message_id = stage.sent()
    stage.client.add_reaction({"message_id": message_id, **OCTOPUS})
    ok(stage.client.remove_reaction({"message_id": message_id, **OCTOPUS}))
    assert stage.message(message_id)["reactions"] == []


def set_message_edit_typing_status(stage: Stage) -> None:
    message_id = stage.sent()
    for op in ("start", "stop"):
        ok(stage.call("POST", f"messages/{message_id}/typing", op=op))


def mark_all_as_read(stage: Stage) -> None:
    assert ok(stage.client.mark_all_as_read())["complete"] is True


def mark_stream_as_read(stage: Stage) -> None:
    ok(stage.client.mark_stream_as_read(stage.channel_id()))


def mark_topic_as_read(stage: Stage) -> None:
    stage.sent(topic="reading")
    ok(stage.client.mark_topic_as_read(stage.channel_id(), "reading"))


def update_message_flags(stage: Stage) -> None:
    message_ids = [stage.sent() for _ in range(3)]
    ok(stage.client.update_message_flags({"messages": message_ids, "op": "add", "flag": "read"}))
    removed = {"messages": message_ids, "op": "remove", "flag": "starred"}
    assert set(ok(stage.client.update_message_flags(removed))["messages"]) == set(message_ids)


def register_queue_all_events(stage: Stage) -> None:
    assert ok(stage.client.register())["queue_id"]


def register_queue(stage: Stage) -> None:
    assert "realm_emoji" in ok(stage.client.register(event_types=["message", "realm_emoji"]))


def get_queue(stage: Stage) -> None:
    queue_id = stage.client.register(event_types=["message"])["queue_id"]
    message_id = stage.sent()
    [event] = ok(stage.client.get_events(queue_id=queue_id, last_event_id=-1))["events"]
    assert event["message"]["id"] == message_id


def deregister_queue(stage: Stage) -> None:
    queue_id = stage.client.register()["queue_id"]
    ok(stage.client.deregister(queue_id))
    refused(stage.client.deregister(queue_id), code="BAD_EVENT_QUEUE_ID")


WORKS = (
    render_message, test_missing_request_argument, send_message, test_nonexistent_stream_error,
    test_private_message_invalid_recipient, update_message, test_update_message_edit_permission_error, delete_message,
    test_delete_message_edit_permission_error, get_raw_message, get_messages, check_messages_match_narrow,
    get_message_history, get_read_receipts, add_reaction, remove_reaction, set_message_edit_typing_status,
    mark_all_as_read, mark_stream_as_read, mark_topic_as_read, update_message_flags, register_queue_all_events,
    register_queue, get_queue, deregister_queue,
)  # fmt: skip
