"""What is attached to messages and accounts: flags, reactions, presence, status, typing, and what bots store."""

from __future__ import annotations

from typing import Any

import pytest

from tests.messaging.conftest import Play
from tests.messaging.wire import call, events_of, refusal, register, zulip_message


def unread(play: Play, topic: str) -> list[int]:
    found = call(play.hamlet, "GET", "messages", anchor="newest", num_before=99, num_after=0,
                 narrow=[["topic", topic], ["is", "unread"]])  # fmt: skip
    return [message["id"] for message in found["messages"]]


def test_reading_is_marked_and_reported_once(play: Play) -> None:
    ids = [play.owner.send(str(number), to="general", topic="read") for number in range(3)]
    queue_id = register(play.hamlet, event_types=["update_message_flags"])
    call(play.hamlet, "POST", "messages/flags", messages=ids[:2], op="add", flag="read")
    call(play.hamlet, "POST", "messages/flags", messages=ids[:2], op="add", flag="read")
    assert unread(play, "read") == [ids[2]]
    (event,) = events_of(play.hamlet, queue_id)
    assert (event["op"], event["operation"], event["flag"], event["messages"]) == ("add", "add", "read", ids[:2])
    call(play.hamlet, "POST", "messages/flags", messages=[ids[0]], op="remove", flag="read")
    assert unread(play, "read") == [ids[0], ids[2]]


def test_a_topic_a_channel_or_everything_can_be_marked_as_read(play: Play) -> None:
    for topic in ("first", "second", "third"):
        play.owner.send("x", to="general", topic=topic)
    call(play.hamlet, "POST", "mark_topic_as_read", stream_id=1, topic_name="first")
    assert (unread(play, "first"), len(unread(play, "second"))) == ([], 1)
    call(play.hamlet, "POST", "mark_stream_as_read", stream_id=1)
    assert unread(play, "second") == []
    play.owner.send("x", to="general", topic="third")
    assert call(play.hamlet, "POST", "mark_all_as_read")["complete"] is True
    assert unread(play, "third") == []


def test_messages_of_a_narrow_are_marked_around_an_anchor(play: Play) -> None:
    ids = [play.owner.send(str(number), to="general", topic="marked") for number in range(3)]
    answer = call(play.hamlet, "POST", "messages/flags/narrow", anchor="oldest", num_before=0, num_after=2,
                  narrow=[["topic", "marked"]], op="add", flag="starred")  # fmt: skip
    assert (answer["processed_count"], answer["updated_count"]) == (2, 2)
    assert (answer["first_processed_id"], answer["last_processed_id"]) == (ids[0], ids[1])
    found = call(play.hamlet, "GET", "messages", anchor="newest", num_before=9, num_after=0, narrow=[["is", "starred"]])
    assert [message["id"] for message in found["messages"]] == ids[:2]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"messages": [1], "op": "add", "flag": "mentioned"}, "Flag not editable: 'mentioned'"),
        ({"messages": [1], "op": "add", "flag": "shiny"}, "Invalid flag: 'shiny'"),
        ({"messages": [1], "op": "turn", "flag": "read"}, "Invalid message flag operation: 'turn'"),
        ({"messages": [99999999999], "op": "add", "flag": "read"}, "Invalid message(s)"),
        ({"messages": "x", "op": "add", "flag": "read"}, "messages is not valid JSON"),
        ({"op": "add", "flag": "read"}, "Missing 'messages' argument"),
    ],
)
def test_a_flag_that_cannot_be_set_is_refused(play: Play, parameters: dict[str, Any], message: str) -> None:
    play.owner.send("one there is", to="general")
    assert zulip_message(refusal(play.hamlet, "POST", "messages/flags", **parameters)) == message


def test_a_reaction_is_added_once_and_removed(play: Play) -> None:
    sent = play.owner.send("react", to="general", topic="reactions")
    path = f"messages/{sent}/reactions"
    call(play.hamlet, "POST", path, emoji_name="thumbs_up")
    error = refusal(play.hamlet, "POST", path, emoji_name="+1")
    assert (zulip_message(error), error.code) == ("Reaction already exists.", "REACTION_ALREADY_EXISTS")
    call(play.cordelia, "POST", path, emoji_name="octopus", emoji_code="1f419", reaction_type="unicode_emoji")
    reactions = call(play.owner, "GET", f"messages/{sent}")["message"]["reactions"]
    assert [(each["emoji_name"], each["emoji_code"], each["user_id"]) for each in reactions] == [
        ("thumbs_up", "1f44d", play.hamlet.id),
        ("octopus", "1f419", play.cordelia.id),
    ]
    call(play.hamlet, "DELETE", path, emoji_name="thumbs_up")
    error = refusal(play.hamlet, "DELETE", path, emoji_name="thumbs_up")
    assert (zulip_message(error), error.code) == ("Reaction doesn't exist.", "REACTION_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"emoji_name": "no_such_thing"}, "Emoji 'no_such_thing' does not exist"),
        ({"emoji_name": "<b>"}, "Invalid characters in emoji name"),
        ({"emoji_name": "tada", "emoji_code": "zz"}, "Invalid emoji code."),
        ({"emoji_name": "tada", "emoji_code": "61"}, "Invalid emoji code."),
        ({"emoji_name": "tada", "emoji_code": "1f600"}, "Invalid emoji name."),
        ({"emoji_name": "no_such_thing", "emoji_code": "1f600"}, "Invalid emoji name."),
        ({"emoji_name": "tada", "reaction_type": "magic"}, "Invalid emoji type."),
        ({}, "Missing 'emoji_name' argument"),
    ],
)
def test_an_invalid_reaction_is_refused(play: Play, parameters: dict[str, str], message: str) -> None:
    sent = play.owner.send("react", to="general", topic="reactions")
    assert zulip_message(refusal(play.hamlet, "POST", f"messages/{sent}/reactions", **parameters)) == message


def test_presence_is_reported_in_both_forms(play: Play) -> None:
    answer = call(play.hamlet, "POST", "users/me/presence", status="active", new_user_input=True)
    row = answer["presences"][play.hamlet.email]["aggregated"]
    assert row["status"] == "active"
    assert row["timestamp"] <= answer["server_timestamp"]
    slim = call(play.cordelia, "POST", "users/me/presence", status="idle", slim_presence=True)["presences"]
    assert slim[str(play.hamlet.id)]["active_timestamp"] == row["timestamp"]
    assert "active_timestamp" not in slim[str(play.cordelia.id)]
    found = call(play.owner, "GET", f"users/{play.hamlet.email}/presence")["presence"]["aggregated"]
    assert found == {"status": "active", "timestamp": row["timestamp"]}
    assert zulip_message(refusal(play.hamlet, "POST", "users/me/presence", status="asleep")) == "Invalid status: asleep"
    error = refusal(play.bot, "POST", "users/me/presence", status="active")
    assert zulip_message(error) == "This endpoint does not accept bot requests."


def test_a_status_is_stored_and_reported(play: Play) -> None:
    queue_id = register(play.cordelia, event_types=["user_status"])
    call(play.hamlet, "POST", "users/me/status", status_text="in Wittenberg", emoji_name="books")
    found = call(play.cordelia, "GET", f"users/{play.hamlet.id}/status")["status"]
    assert (found["status_text"], found["emoji_name"]) == ("in Wittenberg", "books")
    (event,) = events_of(play.cordelia, queue_id)
    assert (event["user_id"], event["status_text"]) == (play.hamlet.id, "in Wittenberg")
    error = refusal(play.hamlet, "POST", "users/me/status", status_text="x" * 61)
    assert zulip_message(error) == "status_text is too long (limit: 60 characters)"


def test_typing_is_reported_to_the_recipients(play: Play) -> None:
    queue_id, other = register(play.cordelia), register(play.owner, event_types=["typing"])
    call(play.hamlet, "POST", "typing", op="start", to=[play.cordelia.id])
    (event,) = [each for each in events_of(play.cordelia, queue_id) if each["type"] == "typing"]
    assert (event["op"], event["sender"]["user_id"], event["message_type"]) == ("start", play.hamlet.id, "direct")
    assert events_of(play.owner, other) == []
    assert zulip_message(refusal(play.hamlet, "POST", "typing", op="pause", to=[1])) == "Invalid op"


def test_a_bot_can_store_texts_by_key(play: Play) -> None:
    call(play.bot, "PUT", "bot_storage", storage={"a": "1", "b": "2"})
    call(play.bot, "PUT", "bot_storage", storage={"a": "3"})
    assert call(play.bot, "GET", "bot_storage", keys=["a"])["storage"] == {"a": "3"}
    assert call(play.bot, "GET", "bot_storage")["storage"] == {"a": "3", "b": "2"}
    assert call(play.hamlet, "GET", "bot_storage")["storage"] == {}
    assert zulip_message(refusal(play.bot, "GET", "bot_storage", keys=["c"])) == "Key does not exist."
    call(play.bot, "DELETE", "bot_storage", keys=["a"])
    assert call(play.bot, "GET", "bot_storage")["storage"] == {"b": "2"}
    assert zulip_message(refusal(play.bot, "PUT", "bot_storage", storage={"n": 1})) == "storage['n'] is not a string"


def test_bot_storage_has_a_limit(play: Play) -> None:
    bot = play.server.add_bot("Hoarder", owner=play.hamlet)
    call(bot, "PUT", "bot_storage", storage={"k": "x" * 900_000})
    for number in range(10):
        call(bot, "PUT", "bot_storage", storage={f"{number:09}": "x" * 900_000})
    error = refusal(bot, "PUT", "bot_storage", storage={"last": "x" * 900_000})
    assert zulip_message(error) == (
        "Request exceeds storage limit by 800095 characters. The limit is 10000000 characters."
    )


def test_only_the_author_reports_editing_and_only_to_people_who_see_the_message(play: Play) -> None:
    direct = play.hamlet.send("x", to=play.cordelia)
    in_channel = play.hamlet.send("x", to="general", topic="edited")
    queue_id = register(play.cordelia, event_types=["typing_edit_message"])
    for message_id in (direct, in_channel):
        for op in ("start", "stop"):
            call(play.hamlet, "POST", f"messages/{message_id}/typing", op=op)
    told = events_of(play.cordelia, queue_id)
    assert [(each["op"], each["message_id"], each["sender_id"]) for each in told] == [
        (op, message_id, play.hamlet.id) for message_id in (direct, in_channel) for op in ("start", "stop")
    ]
    assert told[0]["recipient"] == {"type": "direct", "user_ids": [play.hamlet.id, play.cordelia.id]}
    assert told[2]["recipient"] == {"type": "channel", "channel_id": 1, "topic": "edited"}
    path = f"messages/{direct}/typing"
    assert (
        zulip_message(refusal(play.cordelia, "POST", path, op="start"))
        == "You don't have permission to edit this message"
    )
    assert zulip_message(refusal(play.hamlet, "POST", path, op="begin")) == "Invalid op"


def test_the_status_of_an_unknown_account_is_refused(play: Play) -> None:
    assert zulip_message(refusal(play.hamlet, "GET", "users/999999/status")) == "No such user"
