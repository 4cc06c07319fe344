"""Channels on the wire: created, followed, changed, left; and who may see and post what."""

from __future__ import annotations

from typing import Any

import pytest

from keybearer.server.domain.accounts import Role
from tests.messaging.conftest import Play
from tests.messaging.wire import call, events_of, refusal, register, zulip_message

FOLLOW = "users/me/subscriptions"


def names(answer: dict[str, Any], key: str = "subscriptions") -> list[str]:
    return [each["name"] for each in answer[key]]


def test_new_people_follow_the_first_channel(play: Play) -> None:
    for person in (play.owner, play.server.add_person("Newcomer One")):
        assert "general" in names(call(person, "GET", FOLLOW))
    assert names(call(play.bot, "GET", FOLLOW)) == []


def test_following_a_missing_channel_creates_it(play: Play) -> None:
    answer = call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "elsinore", "description": "A *castle*"}])
    assert answer["subscribed"] == {str(play.hamlet.id): ["elsinore"]}
    again = call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "ELSINORE"}])
    assert (again["subscribed"], again["already_subscribed"]) == ({}, {str(play.hamlet.id): ["elsinore"]})
    channel_id = call(play.cordelia, "GET", "get_stream_id", stream="Elsinore")["stream_id"]
    channel = call(play.cordelia, "GET", f"streams/{channel_id}")["stream"]
    assert channel["rendered_description"] == "<p>A <em>castle</em></p>"
    assert channel["creator_id"] == play.hamlet.id
    assert call(play.cordelia, "GET", f"streams/{channel_id}/members")["subscribers"] == [play.hamlet.id]


def test_others_can_be_subscribed_by_id_or_email(play: Play) -> None:
    call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "shared"}], principals=[play.cordelia.id, play.hamlet.id])
    assert "shared" in names(call(play.cordelia, "GET", FOLLOW))
    call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "shared"}], principals=[play.owner.email])
    found = next(
        each
        for each in call(play.owner, "GET", FOLLOW, include_subscribers=True)["subscriptions"]
        if each["name"] == "shared"
    )
    assert found["subscribers"] == sorted([play.owner.id, play.hamlet.id, play.cordelia.id])


def test_only_its_subscribers_see_a_private_channel(play: Play) -> None:
    call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "closet"}], invite_only=True)
    assert (
        zulip_message(refusal(play.owner, "GET", "get_stream_id", stream="closet")) == "Invalid channel name 'closet'"
    )
    assert "closet" not in names(call(play.owner, "GET", "streams", include_all=True), "streams")
    error = refusal(play.owner, "POST", FOLLOW, subscriptions=[{"name": "closet"}])
    assert zulip_message(error) == "Unable to access channel (closet)."
    error = refusal(play.owner, "POST", "messages", type="stream", to="closet", topic="t", content="x")
    assert zulip_message(error) == "Channel 'closet' does not exist"
    sent = play.hamlet.send("hidden", to="closet")
    assert zulip_message(refusal(play.owner, "GET", f"messages/{sent}")) == "Invalid message(s)"
    error = refusal(play.owner, "GET", "messages", anchor="newest", num_before=1, num_after=0,
                    narrow=[["channel", "closet"]])  # fmt: skip
    assert zulip_message(error) == "Invalid narrow operator: unknown channel closet"
    fine = call(play.owner, "POST", FOLLOW, subscriptions=[{"name": "closet"}], authorization_errors_fatal=False)
    assert fine["unauthorized"] == ["closet"]


def test_a_bot_may_post_where_its_owner_may(play: Play) -> None:
    call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "ramparts"}], invite_only=True)
    assert play.bot.send("a ghost", to="ramparts") > 0
    stranger = play.server.add_bot("Stranger Bot", owner=play.owner)
    error = refusal(stranger, "POST", "messages", type="stream", to="ramparts", topic="t", content="x")
    assert zulip_message(error) == "Channel 'ramparts' does not exist"


def test_who_may_post_can_be_restricted(play: Play) -> None:
    call(play.owner, "POST", FOLLOW, subscriptions=[{"name": "edicts"}], stream_post_policy=2)
    play.owner.send("by order", to="edicts")
    error = refusal(play.hamlet, "POST", "messages", type="stream", to="edicts", topic="t", content="x")
    assert zulip_message(error) == "You do not have permission to post in this channel."


def test_guests_see_only_what_they_follow(play: Play) -> None:
    guest = play.server.add_person("Guest Guild", role=Role.GUEST)
    call(play.owner, "POST", FOLLOW, subscriptions=[{"name": "for members"}])
    assert "for members" not in names(call(guest, "GET", "streams"), "streams")
    for name in ("for members", "guests own"):  # one that they may not see, and one that does not exist
        error = refusal(guest, "POST", FOLLOW, subscriptions=[{"name": name}])
        assert zulip_message(error) == f"Unable to access channel ({name})."


def test_leaving_is_reported_and_ends_the_messages(play: Play) -> None:
    call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "left"}])
    queue_id = register(play.hamlet, event_types=["subscription", "message"])
    answer = call(play.hamlet, "DELETE", FOLLOW, subscriptions=["left"])
    assert (answer["removed"], answer["not_removed"]) == (["left"], [])
    assert call(play.hamlet, "DELETE", FOLLOW, subscriptions=["left"])["not_removed"] == ["left"]
    call(play.owner, "POST", FOLLOW, subscriptions=[{"name": "left"}])
    play.owner.send("without you", to="left")
    events = events_of(play.hamlet, queue_id)
    assert [(event["type"], event["op"]) for event in events] == [
        ("subscription", "remove"),
        ("subscription", "peer_add"),
    ]
    error = refusal(play.hamlet, "DELETE", FOLLOW, subscriptions=["nowhere"])
    assert zulip_message(error) == "Channel(s) (nowhere) do not exist"


def test_only_administrators_can_unsubscribe_others(play: Play) -> None:
    call(play.owner, "POST", FOLLOW, subscriptions=[{"name": "crowd"}], principals=[play.owner.id, play.cordelia.id])
    error = refusal(play.hamlet, "DELETE", FOLLOW, subscriptions=["crowd"], principals=[play.cordelia.id])
    assert zulip_message(error) == "Insufficient permission"
    call(play.owner, "DELETE", FOLLOW, subscriptions=["crowd"], principals=[play.cordelia.id])
    assert "crowd" not in names(call(play.cordelia, "GET", FOLLOW))


def test_settings_of_a_subscription_are_stored_and_reported(play: Play) -> None:
    queue_id = register(play.hamlet, event_types=["subscription"])
    data = [
        {"stream_id": 1, "property": "is_muted", "value": True},
        {"stream_id": 1, "property": "pin_to_top", "value": True},
    ]
    call(play.hamlet, "POST", f"{FOLLOW}/properties", subscription_data=data)
    mine = next(each for each in call(play.hamlet, "GET", FOLLOW)["subscriptions"] if each["stream_id"] == 1)
    assert (mine["is_muted"], mine["in_home_view"], mine["pin_to_top"]) == (True, False, True)
    told = [(event["property"], event["value"]) for event in events_of(play.hamlet, queue_id)]
    assert told == [("is_muted", True), ("in_home_view", False), ("pin_to_top", True)]
    call(play.hamlet, "POST", f"{FOLLOW}/properties",
         subscription_data=[{"stream_id": 1, "property": "in_home_view", "value": True}])  # fmt: skip


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("x", "subscription_data is not valid JSON"),
        ("{}", "subscription_data is not a list"),
        ('[{"stream_id": 1}]', "subscription_data has an entry without stream_id, property and value"),
        ('[{"stream_id": 1, "property": "taste", "value": 1}]', "Unknown subscription property: taste"),
        ('[{"stream_id": 1, "property": "pin_to_top", "value": 1}]', "pin_to_top is not a boolean"),
        ('[{"stream_id": 99, "property": "pin_to_top", "value": true}]', "Not subscribed to channel ID 99"),
        ('[{"stream_id": 1, "property": "color", "value": "red"}]', "color is not a valid hex color code"),
    ],
)
def test_an_invalid_setting_is_refused(play: Play, data: str, message: str) -> None:
    assert zulip_message(refusal(play.hamlet, "POST", f"{FOLLOW}/properties", subscription_data=data)) == message


@pytest.mark.parametrize(
    ("subscriptions", "message"),
    [
        ("x", "subscriptions is not valid JSON"),
        ('{"name": "x"}', "subscriptions is not a list"),
        ('[{"name": ""}]', "Channel name can't be empty."),
        ('[{"name": "' + "n" * 61 + '"}]', "Channel name too long (limit: 60 characters)."),
        ('[{"name": "a\\u0000b"}]', "subscriptions cannot contain null bytes"),
        ('[{"description": "x"}]', "subscriptions has an entry without a name"),
        ('["general"]', "subscriptions has an entry without a name"),
    ],
)
def test_an_invalid_channel_is_refused(play: Play, subscriptions: str, message: str) -> None:
    assert zulip_message(refusal(play.hamlet, "POST", FOLLOW, subscriptions=subscriptions)) == message


def test_its_creator_and_administrators_can_change_a_channel(play: Play) -> None:
    call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "before"}])
    channel_id = call(play.hamlet, "GET", "get_stream_id", stream="before")["stream_id"]
    error = refusal(play.cordelia, "PATCH", f"streams/{channel_id}", new_name="mine")
    assert zulip_message(error) == "You do not have permission to administer this channel."
    queue_id = register(play.cordelia, event_types=["stream"])
    call(play.hamlet, "PATCH", f"streams/{channel_id}", new_name="after", description="changed")
    told = {event["property"]: event["value"] for event in events_of(play.cordelia, queue_id)}
    assert told == {"name": "after", "description": "changed"}
    assert zulip_message(refusal(play.hamlet, "PATCH", f"streams/{channel_id}", new_name="general")) == (
        "Channel name already in use."
    )
    sent = play.hamlet.send("renamed", to="after")
    assert call(play.hamlet, "GET", f"messages/{sent}")["message"]["display_recipient"] == "after"
    call(play.owner, "DELETE", f"streams/{channel_id}")
    assert "after" not in names(call(play.hamlet, "GET", "streams"), "streams")
    error = refusal(play.hamlet, "POST", "messages", type="stream", to="after", topic="t", content="x")
    assert zulip_message(error) == "Not authorized to send to channel 'after'"


def test_topics_are_listed_newest_first(play: Play) -> None:
    call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "talk"}])
    channel_id = call(play.hamlet, "GET", "get_stream_id", stream="talk")["stream_id"]
    first = play.hamlet.send("x", to="talk", topic="one")
    play.hamlet.send("x", to="talk", topic="two")
    third = play.hamlet.send("x", to="talk", topic="ONE")
    topics = call(play.hamlet, "GET", f"users/me/{channel_id}/topics")["topics"]
    assert [(each["name"], each["max_id"]) for each in topics] == [("ONE", third), ("two", third - 1)]
    assert call(play.hamlet, "GET", f"streams/{channel_id}")["stream"]["first_message_id"] == first
    assert zulip_message(refusal(play.hamlet, "GET", "users/me/99/topics")) == "Invalid channel ID"


def test_a_request_can_subscribe_and_leave_at_once(play: Play) -> None:
    call(play.hamlet, "POST", FOLLOW, subscriptions=[{"name": "out"}])
    answer = call(play.hamlet, "PATCH", FOLLOW, delete=["out"], add=[{"name": "in"}])
    assert (answer["removed"], answer["subscribed"]) == (["out"], {str(play.hamlet.id): ["in"]})
    assert (
        zulip_message(refusal(play.hamlet, "PATCH", FOLLOW))
        == 'Nothing to do. Specify at least one of "add" or "delete".'
    )
