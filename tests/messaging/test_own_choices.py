"""What an account chooses for itself: alert words, topics, muted users. Also who has read its messages."""

from __future__ import annotations

from typing import Any

import pytest

from keybearer.server.domain.limits import Cap
from keybearer.testing import Participant
from tests.messaging.conftest import Play
from tests.messaging.wire import (
    call,
    events_of,
    make_channel,
    new_name,
    new_person,
    refusal,
    register,
    remove_subscriber,
    zulip_message,
)

pytestmark = pytest.mark.usefixtures("connections_end_with_the_test")


def state_of(who: Participant, *types: str) -> dict[str, Any]:
    """The state of these types of events at registration."""
    return call(who, "POST", "register", event_types=[], fetch_event_types=list(types))


def found(who: Participant, *narrow: list[str]) -> list[int]:
    """The messages that somebody sees through a narrow."""
    answer = call(who, "GET", "messages", anchor="newest", num_before=99, num_after=0, narrow=list(narrow))
    return [message["id"] for message in answer["messages"]]


def flags_of(who: Participant, message_id: int) -> set[str]:
    return set(call(who, "GET", f"messages/{message_id}")["message"]["flags"])


def test_alert_words_are_added_once_in_any_case_and_removed(play: Play) -> None:
    who = new_person(play.server)
    queue_id = register(who, event_types=["alert_words"])
    path = "users/me/alert_words"
    assert call(who, "POST", path, alert_words=[" Lunch ", "", "lunch", "deploy now"])["alert_words"] == [
        "deploy now",
        "Lunch",
    ]
    call(who, "POST", path, alert_words=["LUNCH"])
    assert call(who, "GET", path)["alert_words"] == ["deploy now", "Lunch"]
    assert state_of(who, "alert_words")["alert_words"] == ["deploy now", "Lunch"]
    assert call(who, "DELETE", path, alert_words=["lunch", "unknown"])["alert_words"] == ["deploy now"]
    assert [event["alert_words"] for event in events_of(who, queue_id)] == [["deploy now", "Lunch"], ["deploy now"]]
    assert call(play.cordelia, "GET", path)["alert_words"] == []


def test_a_message_with_an_alert_word_is_flagged_for_recipients_with_that_word(play: Play) -> None:
    who, other = new_person(play.server), new_person(play.server)
    for each in (who, other):
        call(each, "POST", "users/me/alert_words", alert_words=["falcon"])
    queue_id = register(who, event_types=["message"], narrow=[["is", "alerted"]])
    plain = play.hamlet.send("nothing", to=who)
    sent = play.hamlet.send("The Falcon has landed", to=who)
    assert (flags_of(who, sent), flags_of(who, plain)) == ({"has_alert_word"}, set())
    assert found(who, ["is", "alerted"]) == [sent]
    assert found(other, ["is", "alerted"]) == []
    assert [event["message"]["id"] for event in events_of(who, queue_id)] == [sent]


def test_an_edit_adds_and_removes_the_flag_of_an_alert_word(play: Play) -> None:
    who = new_person(play.server)
    call(who, "POST", "users/me/alert_words", alert_words=["heron"])
    sent = play.hamlet.send("a bird", to=who)
    for text, flags in (("a heron", {"has_alert_word"}), ("a bird again", set())):
        call(play.hamlet, "PATCH", f"messages/{sent}", content=text)
        assert flags_of(who, sent) == flags


def test_a_topic_is_muted_unmuted_followed_and_reset(play: Play) -> None:
    who = new_person(play.server)
    queue_id = register(who, event_types=["user_topic", "muted_topics"])
    for policy in (1, 1, 3, 0, 0):
        call(who, "POST", "user_topics", stream_id=1, topic="Noise", visibility_policy=policy)
        rows = state_of(who, "user_topic", "muted_topics")
        assert [(row["stream_id"], row["topic_name"], row["visibility_policy"]) for row in rows["user_topics"]] == (
            [(1, "Noise", policy)] if policy else []
        )
        assert [row[:2] for row in rows["muted_topics"]] == ([["general", "Noise"]] if policy == 1 else [])
    told = events_of(who, queue_id)
    # Resetting something that does not exist changes nothing, and no event reports it.
    assert [event["visibility_policy"] for event in told if event["type"] == "user_topic"] == [1, 1, 3, 0]
    assert {frozenset(event) for event in told if event["type"] == "user_topic"} == {
        frozenset({"type", "id", "stream_id", "topic_name", "last_updated", "visibility_policy"})
    }


def test_a_topic_is_muted_in_the_old_form_by_the_channels_name_or_id(play: Play) -> None:
    who = new_person(play.server)
    path = "users/me/subscriptions/muted_topics"
    call(who, "PATCH", path, stream="general", topic="first", op="add")
    call(who, "PATCH", path, stream_id=1, topic="second", op="add")
    call(who, "PATCH", path, stream_id=1, topic="FIRST", op="remove")
    assert [row[1] for row in state_of(who, "muted_topics")["muted_topics"]] == ["second"]
    assert zulip_message(refusal(who, "PATCH", path, topic="t", op="add")) == "Missing 'stream_id' argument"
    both = refusal(who, "PATCH", path, stream="general", stream_id=1, topic="t", op="add")
    assert zulip_message(both) == "Unsupported parameter combination: stream_id, stream"
    assert (
        zulip_message(refusal(who, "PATCH", path, stream="no such", topic="t", op="add"))
        == "Invalid channel name 'no such'"
    )


def test_narrows_show_followed_topics_and_leave_out_muted_ones(play: Play) -> None:
    who = new_person(play.server)
    name = new_name()
    channel_id = make_channel(play.owner, name, who)
    ids = {topic: play.owner.send("x", to=name, topic=topic) for topic in ("loud", "quiet", "plain")}
    call(who, "POST", "user_topics", stream_id=channel_id, topic="Loud", visibility_policy=3)
    call(who, "POST", "user_topics", stream_id=channel_id, topic="quiet", visibility_policy=1)
    assert found(who, ["is", "followed"]) == [ids["loud"]]
    assert found(who, ["is", "muted"]) == [ids["quiet"]]
    assert found(who, ["in", "home"], ["channel", name]) == [ids["loud"], ids["plain"]]
    chosen = [{"stream_id": channel_id, "property": "is_muted", "value": True}]
    call(who, "POST", "users/me/subscriptions/properties", subscription_data=chosen)
    assert found(who, ["is", "muted"]) == [ids["quiet"], ids["plain"]]
    assert found(play.owner, ["is", "followed"]) == []


def test_unread_messages_of_muted_topics_and_channels_are_listed_but_not_counted(play: Play) -> None:
    # Zulip's `count` is the number to show.
    who, name = new_person(play.server), new_name()
    channel_id = make_channel(play.owner, name, who)
    for topic in ("quiet", "loud", "plain"):
        play.owner.send("x", to=name, topic=topic)
    play.hamlet.send("x", to=who)

    def counts() -> tuple[int, int]:
        unread = state_of(who, "update_message_flags")["unread_msgs"]
        return unread["count"], len(unread["streams"])

    call(who, "POST", "user_topics", stream_id=channel_id, topic="Quiet", visibility_policy=1)
    call(who, "POST", "user_topics", stream_id=channel_id, topic="loud", visibility_policy=2)
    assert counts() == (3, 3)
    chosen = [{"stream_id": channel_id, "property": "is_muted", "value": True}]
    call(who, "POST", "users/me/subscriptions/properties", subscription_data=chosen)
    assert counts() == (2, 3)


def test_topic_policies_move_with_the_topic_if_all_of_it_moves(play: Play) -> None:
    # As in Zulip: resolving a topic renames it, and it stays muted or followed.
    first, second, name = new_person(play.server), new_person(play.server), new_name()
    channel_id = make_channel(play.owner, name, first, second)
    ids = [play.owner.send("x", to=name, topic="plan") for _ in range(2)]
    for who, topic, policy in ((first, "Plan", 3), (second, "plan", 1), (second, "✔ plan", 2)):
        call(who, "POST", "user_topics", stream_id=channel_id, topic=topic, visibility_policy=policy)

    def chosen(who: Participant) -> dict[str, int]:
        rows = state_of(who, "user_topic")["user_topics"]
        return {row["topic_name"]: row["visibility_policy"] for row in rows}

    queue_id = register(first, event_types=["user_topic"])
    of_second = register(second, event_types=["user_topic", "muted_topics"])
    call(play.owner, "PATCH", f"messages/{ids[0]}", topic="other", propagate_mode="change_one")
    assert chosen(first) == {"Plan": 3}
    call(play.owner, "PATCH", f"messages/{ids[1]}", topic="✔ plan", propagate_mode="change_all")
    assert (chosen(first), chosen(second)) == ({"✔ plan": 3}, {"✔ plan": 2})
    told = [(each["topic_name"], each["visibility_policy"]) for each in events_of(first, queue_id)]
    assert told == [("plan", 0), ("✔ plan", 3)]
    # Forgetting an old choice because of a choice for the new topic is reported too.
    muted, forgotten = events_of(second, of_second)
    assert (muted["type"], muted["muted_topics"]) == ("muted_topics", [])
    assert (forgotten["topic_name"], forgotten["visibility_policy"]) == ("plan", 0)


def test_the_move_of_a_muted_topic_is_also_reported_in_the_old_form(play: Play) -> None:
    who, blind, name = new_person(play.server), new_person(play.server), new_name()
    channel_id = make_channel(play.owner, name, who, blind)
    sent = play.owner.send("x", to=name, topic="noise")
    for each in (who, blind):
        call(each, "POST", "user_topics", stream_id=channel_id, topic="noise", visibility_policy=1)
    queues = {each: register(each, event_types=["muted_topics"]) for each in (who, blind)}
    target = new_name()
    target_id = make_channel(play.owner, target, who, is_private=True)
    call(play.owner, "PATCH", f"messages/{sent}", stream_id=target_id, topic="din")
    (told,) = events_of(who, queues[who])
    assert [row[:2] for row in told["muted_topics"]] == [[target, "din"]]
    (told,) = events_of(blind, queues[blind])
    assert told["muted_topics"] == []


def test_empty_topics_have_zulips_name_everywhere_for_clients_that_do_not_know_them(play: Play) -> None:
    who, name = new_person(play.server), new_name()
    channel_id = make_channel(play.owner, name, who)
    knowing = {"client_capabilities": {"empty_topic_name": True, "stream_typing_notifications": True}}
    old = {"client_capabilities": {"stream_typing_notifications": True}}
    queues = {"": register(who, **knowing), "general chat": register(who, **old)}
    sent = call(play.owner, "POST", "messages", type="stream", to=name, topic="", content="x")["id"]
    call(who, "POST", "user_topics", stream_id=channel_id, topic="", visibility_policy=1)
    call(play.owner, "POST", "typing", op="start", type="stream", stream_id=channel_id, topic="")
    call(play.owner, "POST", f"messages/{sent}/typing", op="start")
    for op in ("add", "remove"):
        call(who, "POST", "messages/flags", messages=[sent], op=op, flag="read")
    call(play.owner, "PATCH", f"messages/{sent}", topic="named")
    call(play.owner, "PATCH", f"messages/{sent}", topic="")
    call(play.owner, "DELETE", f"messages/{sent}")
    for shown, queue_id in queues.items():
        told = events_of(who, queue_id)
        of_type = {each: [event for event in told if event["type"] == each] for each in {e["type"] for e in told}}
        assert of_type["message"][0]["message"]["subject"] == shown
        assert of_type["user_topic"][0]["topic_name"] == shown
        assert of_type["muted_topics"][0]["muted_topics"][0][:2] == [name, shown]
        assert of_type["typing"][0]["topic"] == shown
        assert of_type["typing_edit_message"][0]["recipient"]["topic"] == shown
        assert of_type["update_message_flags"][-1]["message_details"][str(sent)]["topic"] == shown
        away, back = of_type["update_message"]
        assert (away["orig_subject"], away["subject"], back["orig_subject"], back["subject"]) == (
            shown,
            "named",
            "named",
            shown,
        )
        assert of_type["delete_message"][0]["topic"] == shown
    for knows, shown in ((True, ""), (False, "general chat")):
        state = call(who, "POST", "register", client_capabilities={"empty_topic_name": knows})
        assert [each["topic_name"] for each in state["user_topics"]] == [shown]
        assert [each[1] for each in state["muted_topics"]] == [shown]


def test_topic_policies_need_a_visible_channel(play: Play) -> None:
    who, name = new_person(play.server), new_name()
    channel_id = make_channel(play.owner, name, who, is_private=True)
    call(who, "POST", "user_topics", stream_id=channel_id, topic="secret", visibility_policy=1)
    queue_id = register(who, event_types=["user_topic", "muted_topics"])
    call(who, "POST", "user_topics", stream_id=channel_id, topic="secret", visibility_policy=3)
    remove_subscriber(play.owner, who, name)
    assert events_of(who, queue_id) == [] or all("secret" not in str(each) for each in events_of(who, queue_id))
    assert state_of(who, "user_topic", "muted_topics")["user_topics"] == []
    hidden = refusal(who, "POST", "user_topics", stream_id=channel_id, topic="secret", visibility_policy=1)
    unknown = refusal(who, "POST", "user_topics", stream_id=999_999, topic="secret", visibility_policy=1)
    assert zulip_message(hidden) == zulip_message(unknown) == "Invalid channel ID"


def test_messages_of_a_muted_user_are_marked_as_read(play: Play) -> None:
    who = new_person(play.server)
    before = play.hamlet.send("before", to=who)
    queue_id = register(who, event_types=["muted_users", "update_message_flags"])
    call(who, "POST", f"users/me/muted_users/{play.hamlet.id}")
    after = play.hamlet.send("after", to=who)
    assert (flags_of(who, before), flags_of(who, after)) == ({"read"}, {"read"})
    (row,) = state_of(who, "muted_users")["muted_users"]
    assert row == {"id": play.hamlet.id, "timestamp": row["timestamp"]}
    call(who, "DELETE", f"users/me/muted_users/{play.hamlet.id}")
    again = play.hamlet.send("again", to=who)
    assert flags_of(who, again) == set()
    told = events_of(who, queue_id)
    assert [each["muted_users"] for each in told if each["type"] == "muted_users"] == [[row], []]
    assert [each["messages"] for each in told if each["type"] == "update_message_flags"] == [[before]]


def test_muting_is_refused_in_zulips_words(play: Play) -> None:
    who, path = new_person(play.server), "users/me/muted_users/"
    assert zulip_message(refusal(who, "POST", f"{path}{who.id}")) == "Cannot mute self"
    assert zulip_message(refusal(who, "POST", f"{path}999999")) == "No such user"
    assert zulip_message(refusal(who, "DELETE", f"{path}{play.hamlet.id}")) == "User is not muted"
    call(who, "POST", f"{path}{play.hamlet.id}")
    assert zulip_message(refusal(who, "POST", f"{path}{play.hamlet.id}")) == "User already muted"


def test_read_receipts_name_readers_without_the_sender_and_muted_users(play: Play) -> None:
    first, second = new_person(play.server), new_person(play.server)
    sent = call(
        play.hamlet, "POST", "messages", type="direct", to=[first.id, second.id], content="x", read_by_sender=True
    )["id"]
    path = f"messages/{sent}/read_receipts"
    assert call(first, "GET", path)["user_ids"] == []
    for each in (first, second):
        call(each, "POST", "messages/flags", messages=[sent], op="add", flag="read")
    assert call(play.hamlet, "GET", path)["user_ids"] == [first.id, second.id]
    call(second, "POST", f"users/me/muted_users/{first.id}")
    assert call(first, "GET", path)["user_ids"] == [first.id]
    assert call(second, "GET", path)["user_ids"] == [second.id]
    assert zulip_message(refusal(play.cordelia, "GET", path)) == "Invalid message(s)"


def test_more_alert_words_than_the_limit_change_nothing(play: Play) -> None:
    who, path = new_person(play.server), "users/me/alert_words"
    words = [f"word{number}" for number in range(Cap.ALERT_WORDS.most)]
    call(who, "POST", path, alert_words=words[:-1])
    too_many = refusal(who, "POST", path, alert_words=["one more", "and another"])
    assert zulip_message(too_many) == Cap.ALERT_WORDS.refusal()
    assert len(call(who, "GET", path)["alert_words"]) == Cap.ALERT_WORDS.most - 1
    too_long = refusal(who, "POST", path, alert_words=["x" * 101])
    assert zulip_message(too_long) == "alert_words[0] is too long (limit: 100 characters)"
