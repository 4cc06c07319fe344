"""Event queues: what they report, how they wait, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from keybearer.errors import APIError
from keybearer.testing import Participant
from tests.messaging.conftest import Play
from tests.messaging.wire import call, events_of, refusal, register, zulip_message

PATIENCE = 20.0
"""Seconds after which a test gives up waiting for a poll."""


def in_background(work: Callable[[], Any]) -> Future[Any]:
    """Begin a call that waits. The future has its result or its refusal."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future


def waiting_poll(play: Play, who: Participant, queue_id: str, after: int = -1) -> Future[Any]:
    """A poll that waits at the server."""
    before = play.server.count_polls(who)
    poll = in_background(lambda: call(who, "GET", "events", queue_id=queue_id, last_event_id=after))
    while play.server.count_polls(who) == before and not poll.done():
        threading.Event().wait(0.01)
    return poll


def test_a_queue_begins_empty_and_is_numbered_from_there(play: Play) -> None:
    answer = call(play.hamlet, "POST", "register", event_types=["message"])
    assert answer["last_event_id"] == -1
    assert answer["zulip_feature_level"] == 492
    queue_id = answer["queue_id"]
    assert events_of(play.hamlet, queue_id) == []
    play.owner.send("zero", to=play.hamlet)
    play.owner.send("one", to=play.hamlet)
    assert [event["id"] for event in events_of(play.hamlet, queue_id)] == [0, 1]
    assert [event["message"]["content"] for event in events_of(play.hamlet, queue_id, 0)] == ["one"]


def test_only_unacknowledged_events_are_delivered_again(play: Play) -> None:
    queue_id = register(play.hamlet, event_types=["message"])
    for number in range(3):
        play.owner.send(str(number), to=play.hamlet)
    assert len(events_of(play.hamlet, queue_id)) == 3
    assert len(events_of(play.hamlet, queue_id)) == 3
    assert len(events_of(play.hamlet, queue_id, 1)) == 1
    error = refusal(play.hamlet, "GET", "events", queue_id=queue_id, last_event_id=0, dont_block=True)
    assert zulip_message(error) == "An event newer than 0 has already been pruned!"


def test_a_poll_waits_for_the_next_event(play: Play) -> None:
    queue_id = register(play.hamlet, event_types=["message"])
    poll = waiting_poll(play, play.hamlet, queue_id)
    assert not poll.done()
    play.owner.send("at last", to=play.hamlet)
    events = poll.result(PATIENCE)["events"]
    assert [event["message"]["content"] for event in events] == ["at last"]


def test_a_lost_queue_is_reported_as_zulip_does(play: Play) -> None:
    error = refusal(play.hamlet, "GET", "events", queue_id="nope", last_event_id=-1)
    assert (zulip_message(error), error.code) == ("Bad event queue ID: nope", "BAD_EVENT_QUEUE_ID")
    assert error.answer["queue_id"] == "nope"
    queue_id = register(play.hamlet)
    call(play.hamlet, "DELETE", "events", queue_id=queue_id)
    for method in ("GET", "DELETE"):
        error = refusal(play.hamlet, method, "events", queue_id=queue_id, last_event_id=-1)
        assert error.code == "BAD_EVENT_QUEUE_ID"


def test_no_more_of_a_queue_id_is_repeated_than_any_id_has(play: Play) -> None:
    given = "no queue " * 10_000
    error = refusal(play.hamlet, "DELETE", "events", queue_id=given)
    assert zulip_message(error) == f"Bad event queue ID: {given[:64]}"
    assert error.answer["queue_id"] == given[:64]


def test_a_closed_queue_ends_its_poll(play: Play) -> None:
    queue_id = register(play.hamlet)
    poll = waiting_poll(play, play.hamlet, queue_id)
    call(play.hamlet, "DELETE", "events", queue_id=queue_id)
    assert poll.result(PATIENCE)["events"] == []


def test_nobody_can_read_or_close_another_accounts_queue(play: Play) -> None:
    queue_id = register(play.hamlet)
    error = refusal(play.cordelia, "GET", "events", queue_id=queue_id, last_event_id=-1)
    assert zulip_message(error) == f"Bad event queue ID: {queue_id}"
    error = refusal(play.owner, "DELETE", "events", queue_id=queue_id)
    assert zulip_message(error) == f"Bad event queue ID: {queue_id}"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"last_event_id": -1}, "Missing 'queue_id' argument"),
        ({"queue_id": "x"}, "Missing 'last_event_id' argument"),
        ({"queue_id": "x", "last_event_id": "y"}, "last_event_id is not valid JSON"),
        ({"queue_id": "x", "last_event_id": -1, "dont_block": "maybe"}, "dont_block is not valid JSON"),
    ],
)
def test_a_malformed_poll_is_refused(play: Play, parameters: dict[str, Any], message: str) -> None:
    assert zulip_message(refusal(play.hamlet, "GET", "events", **parameters)) == message


def test_an_event_that_never_existed_cannot_be_acknowledged(play: Play) -> None:
    queue_id = register(play.hamlet)
    error = refusal(play.hamlet, "GET", "events", queue_id=queue_id, last_event_id=1000, dont_block=True)
    assert zulip_message(error) == "Event 1000 was not in this queue"


def test_a_queue_gets_only_requested_events_that_its_account_may_see(play: Play) -> None:
    reactions = register(play.hamlet, event_types=["reaction"])
    everything = register(play.cordelia)
    sent = play.owner.send("only for Hamlet", to=play.hamlet)
    call(play.hamlet, "POST", f"messages/{sent}/reactions", emoji_name="tada")
    (event,) = events_of(play.hamlet, reactions)
    assert (event["type"], event["op"], event["message_id"]) == ("reaction", "add", sent)
    assert (event["emoji_name"], event["emoji_code"], event["user_id"]) == ("tada", "1f389", play.hamlet.id)
    assert events_of(play.cordelia, everything) == []


def test_messages_are_delivered_as_written_or_as_html(play: Play) -> None:
    written, html = register(play.hamlet), register(play.hamlet, apply_markdown=True)
    play.owner.send("**x**", to=play.hamlet)
    (first,), (second,) = events_of(play.hamlet, written), events_of(play.hamlet, html)
    assert (first["message"]["content"], first["message"]["content_type"]) == ("**x**", "text/x-markdown")
    assert (second["message"]["content"], second["message"]["content_type"]) == (
        "<p><strong>x</strong></p>",
        "text/html",
    )


@pytest.mark.parametrize(
    ("narrow", "told"),
    [
        ([["stream", "general"], ["topic", "wanted"]], ["wanted"]),
        ([["is", "dm"]], ["direct"]),
        ([["is", "mentioned"]], ["mention"]),
        ([["sender", "owner@example.com"]], ["wanted", "other", "direct", "mention"]),
        ([["sender", "nobody@example.com"]], []),
    ],
)
def test_a_narrow_of_a_queue_filters_its_messages(play: Play, narrow: Any, told: list[str]) -> None:
    queue_id = register(play.hamlet, event_types=["message"], narrow=narrow)
    play.owner.send("wanted", to="general", topic="wanted")
    play.owner.send("other", to="general", topic="other")
    play.owner.send("direct", to=play.hamlet)
    play.owner.send(f"mention {play.hamlet.mention}", to="general", topic="other")
    found = [event["message"]["content"].split()[0] for event in events_of(play.hamlet, queue_id)]
    assert found == told


def test_a_narrow_that_queues_cannot_have_is_refused(play: Play) -> None:
    error = refusal(play.hamlet, "POST", "register", narrow=[["dm", "x@y.z"]])
    assert zulip_message(error) == "Operator dm not supported."


def test_clients_that_ask_for_all_public_streams_get_them(play: Play) -> None:
    play.server.add_channel("public one")
    call(play.owner, "POST", "users/me/subscriptions", subscriptions=[{"name": "secret one"}], invite_only=True)
    queue_id = register(play.bot, event_types=["message"], all_public_streams=True)
    play.owner.send("open", to="public one")
    play.owner.send("hidden", to="secret one")
    assert [event["message"]["content"] for event in events_of(play.bot, queue_id)] == ["open"]


def test_changes_of_messages_are_reported(play: Play) -> None:
    sent = play.hamlet.send("old", to="general", topic="changes")
    queue_id = register(play.cordelia, event_types=["update_message", "update_message_flags", "delete_message"])
    call(play.hamlet, "PATCH", f"messages/{sent}", content="new", topic="renamed")
    call(play.cordelia, "POST", "messages/flags", messages=[sent], op="add", flag="starred")
    call(play.owner, "DELETE", f"messages/{sent}")
    content, topic, flags, deleted = events_of(play.cordelia, queue_id)
    assert (content["message_id"], content["content"], content["rendered_content"]) == (sent, "new", "<p>new</p>")
    assert (topic["orig_subject"], topic["subject"], topic["stream_id"]) == ("changes", "renamed", 1)
    assert (flags["op"], flags["flag"], flags["messages"], flags["all"]) == ("add", "starred", [sent], False)
    assert (deleted["message_id"], deleted["message_type"]) == (sent, "stream")


def test_changes_of_accounts_are_reported_without_a_key(play: Play) -> None:
    queue_id = register(play.hamlet, event_types=["realm_user", "realm_bot"])
    bot = play.server.add_bot("Rosencrantz", owner=play.hamlet)
    call(play.hamlet, "PATCH", f"bots/{bot.id}", full_name="Guildenstern")
    bot.regenerate_api_key()
    bot.deactivate()
    events = events_of(play.hamlet, queue_id)
    kinds = [(event["type"], event["op"]) for event in events]
    assert kinds[:2] == [("realm_user", "add"), ("realm_bot", "add")]
    assert events[0]["person"]["user_id"] == bot.id
    assert events[-1]["type"] == "realm_bot"
    assert events[-1]["bot"]["is_active"] is False
    assert "api_key" not in str(events)
    assert bot.client.credentials is not None
    assert bot.client.credentials.api_key.reveal() not in str(events)


def test_a_replaced_key_ends_its_open_poll_at_once(play: Play) -> None:
    bot = play.server.add_bot("Osric", owner=play.hamlet)
    queue_id = register(bot)
    poll = waiting_poll(play, bot, queue_id)
    bot.regenerate_api_key()
    with pytest.raises(APIError) as caught:
        poll.result(PATIENCE)
    assert (caught.value.status, zulip_message(caught.value), caught.value.code) == (
        401,
        "Invalid API key",
        "UNAUTHORIZED",
    )
    play.hamlet.send("still there?", to=bot)
    (event,) = [each for each in events_of(bot, queue_id) if each["type"] == "message"]
    assert event["message"]["content"] == "still there?"


def test_the_poll_of_a_deactivated_account_ends_at_once_with_the_reason(play: Play) -> None:
    person = play.server.add_person("Polonius")
    bot = play.server.add_bot("Reynaldo", owner=person)
    polls = [waiting_poll(play, each, register(each)) for each in (person, bot)]
    person.deactivate()
    for poll in polls:
        with pytest.raises(APIError) as caught:
            poll.result(PATIENCE)
        assert (caught.value.status, zulip_message(caught.value)) == (401, "Account is deactivated")


def test_the_poll_of_another_account_continues(play: Play) -> None:
    bot = play.server.add_bot("Francisco", owner=play.hamlet)
    poll = waiting_poll(play, play.cordelia, register(play.cordelia, event_types=["message"]))
    bot.regenerate_api_key()
    play.owner.send("go on", to=play.cordelia)
    assert poll.result(PATIENCE)["events"][0]["message"]["content"] == "go on"


def test_the_state_at_registration_has_what_clients_read(play: Play) -> None:
    sent = play.owner.send(f"{play.hamlet.mention} unread", to="general", topic="state")
    direct = play.owner.send("unread too", to=play.hamlet)
    state = call(play.hamlet, "POST", "register", include_subscribers=True)
    assert state["user_id"] == play.hamlet.id
    assert state["email"] == play.hamlet.email
    assert state["max_message_id"] == direct
    assert {"general"} <= {each["name"] for each in state["subscriptions"]}
    assert play.owner.id in state["subscriptions"][0]["subscribers"]
    assert play.hamlet.id in {each["user_id"] for each in state["realm_users"]}
    assert [each["user_id"] for each in state["realm_bots"]].count(play.bot.id) == 1
    assert all("api_key" not in each for each in state["realm_bots"])
    topics = {
        (each["stream_id"], each["topic"]): each["unread_message_ids"] for each in state["unread_msgs"]["streams"]
    }
    assert topics[1, "state"] == [sent]
    assert sent in state["unread_msgs"]["mentions"]
    assert play.owner.id in {each["other_user_id"] for each in state["unread_msgs"]["pms"]}
    for name in (
        "realm_name", "realm_url", "realm_uri", "user_settings", "realm_user_groups", "realm_emoji", "presences",
        "custom_profile_fields", "muted_topics", "starred_messages", "cross_realm_bots", "twenty_four_hour_time",
        "pm_content_in_desktop_notifications", "max_topic_length", "event_queue_longpoll_timeout_seconds",
    ):  # fmt: skip
        assert name in state


def test_only_the_requested_state_is_returned(play: Play) -> None:
    state = call(play.hamlet, "POST", "register", event_types=["message"], fetch_event_types=["realm_user"])
    assert "realm_users" in state
    assert "subscriptions" not in state
    assert "realm_name" not in state


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"event_types": "message"}, "event_types is not valid JSON"),
        ({"event_types": '"message"'}, "event_types is not a list"),
        ({"event_types": "[1]"}, "event_types[0] is not a string"),
        ({"client_capabilities": "[]"}, "client_capabilities is not a dict"),
        ({"idle_queue_timeout": "-1"}, "idle_queue_timeout is too small"),
        ({"include_subscribers": '"some"'}, "include_subscribers is not a boolean"),
    ],
)
def test_a_malformed_registration_is_refused(play: Play, parameters: dict[str, str], message: str) -> None:
    assert zulip_message(refusal(play.hamlet, "POST", "register", **parameters)) == message
