"""Channels as administrators and creators use them: created, given to new people, and cleared of topics."""

from __future__ import annotations

import pytest

from keybearer.server.domain.accounts import Role
from keybearer.server.services.messaging import topics
from tests.messaging.conftest import Play
from tests.messaging.wire import call, events_of, make_channel, new_name, new_person, refusal, register, zulip_message

pytestmark = pytest.mark.usefixtures("connections_end_with_the_test")


def test_a_channel_is_created_with_exactly_its_subscribers(play: Play) -> None:
    name = new_name()
    made = call(
        play.hamlet, "POST", "channels/create", name=f" {name} ", description="about", subscribers=[play.cordelia.id]
    )
    channel = call(play.cordelia, "GET", f"streams/{made['id']}")["stream"]
    assert (channel["name"], channel["description"], channel["creator_id"]) == (name, "about", play.hamlet.id)
    assert call(play.cordelia, "GET", f"streams/{made['id']}/members")["subscribers"] == [play.cordelia.id]


def test_a_name_that_is_taken_is_refused_with_zulips_code(play: Play) -> None:
    name = new_name()
    call(play.hamlet, "POST", "channels/create", name=name, subscribers=[])
    taken = refusal(play.hamlet, "POST", "channels/create", name=name.upper(), subscribers=[])
    assert (taken.code, zulip_message(taken)) == ("CHANNEL_ALREADY_EXISTS", f"Channel '{name.upper()}' already exists")


def test_a_refused_request_creates_no_channel(play: Play) -> None:
    guest, name = new_person(play.server, Role.GUEST), new_name()
    for who, fields, words in (
        (guest, {"subscribers": []}, "Insufficient permission"),
        (play.hamlet, {}, "Missing 'subscribers' argument"),
        (play.hamlet, {"subscribers": [999_999]}, "Invalid user ID 999999"),
        (play.hamlet, {"subscribers": [], "is_default_stream": True}, "Insufficient permission"),
        (play.owner, {"subscribers": [1], "is_default_stream": True, "invite_only": True},
         "A default channel cannot be private."),
        (play.hamlet, {"subscribers": [], "invite_only": True},
         "A private channel needs at least one subscriber: nobody else can see it."),
    ):  # fmt: skip
        assert zulip_message(refusal(who, "POST", "channels/create", name=name, **fields)) == words
    assert zulip_message(refusal(play.owner, "GET", "get_stream_id", stream=name)) == f"Invalid channel name '{name}'"


def test_new_people_follow_the_default_channels_and_clients_learn_which_they_are(play: Play) -> None:
    channel_id = make_channel(play.hamlet, new_name())
    guest = new_person(play.server, Role.GUEST)
    queues = {each.id: (each, register(each, event_types=["default_streams"])) for each in (play.cordelia, guest)}
    call(play.owner, "POST", "default_streams", stream_id=channel_id)
    state = call(play.owner, "POST", "register", event_types=[], fetch_event_types=["default_streams"])
    assert sorted(state["realm_default_streams"]) == [1, channel_id]
    newcomer = new_person(play.server)
    assert newcomer.id in call(play.owner, "GET", f"streams/{channel_id}/members")["subscribers"]
    call(play.owner, "DELETE", "default_streams", stream_id=channel_id)
    latecomer = new_person(play.server)
    assert latecomer.id not in call(play.owner, "GET", f"streams/{channel_id}/members")["subscribers"]
    who, queue_id = queues[play.cordelia.id]
    assert [event["default_streams"] for event in events_of(who, queue_id)] == [[1, channel_id], [1]]
    # A guest does not see the channel, so events about it are not delivered to them.
    who, queue_id = queues[guest.id]
    assert all(channel_id not in event["default_streams"] for event in events_of(who, queue_id))


def test_archiving_a_default_channel_reports_that_it_is_no_longer_one(play: Play) -> None:
    made = call(play.owner, "POST", "channels/create", name=new_name(), subscribers=[], is_default_stream=True)
    queue_id = register(play.cordelia, event_types=["default_streams"])
    call(play.owner, "DELETE", f"streams/{made['id']}")
    (event,) = events_of(play.cordelia, queue_id)
    assert made["id"] not in event["default_streams"]


def test_default_channels_are_public_and_chosen_by_administrators(play: Play) -> None:
    channel_id = make_channel(play.owner, new_name(), is_private=True)
    words = zulip_message(refusal(play.owner, "POST", "default_streams", stream_id=channel_id))
    assert words == "A default channel cannot be private."
    for method in ("POST", "DELETE"):
        assert (
            zulip_message(refusal(play.hamlet, method, "default_streams", stream_id=1))
            == "Must be an organization administrator"
        )
    assert zulip_message(refusal(play.owner, "POST", "default_streams", stream_id=999_999)) == "Invalid channel ID"


def test_a_topic_is_deleted_with_all_of_its_messages_and_no_other(play: Play) -> None:
    name = new_name()
    channel_id = make_channel(play.owner, name, play.hamlet)
    gone = [play.hamlet.send(str(number), to=name, topic="Gone") for number in range(topics.AT_ONCE + 5)]
    kept = play.hamlet.send("kept", to=name, topic="kept")
    queue_id = register(play.hamlet, event_types=["delete_message"])
    path = f"streams/{channel_id}/delete_topic"
    assert (
        zulip_message(refusal(play.hamlet, "POST", path, topic_name="gone")) == "Must be an organization administrator"
    )
    assert call(play.owner, "POST", path, topic_name="gone")["complete"] is True
    assert [row["name"] for row in call(play.owner, "GET", f"users/me/{channel_id}/topics")["topics"]] == ["kept"]
    assert call(play.hamlet, "GET", f"messages/{kept}")["message"]["id"] == kept
    told = events_of(play.hamlet, queue_id)
    # The newest are deleted first, in pieces, so that others can write between two pieces.
    assert [each["message_ids"] for each in told] == [gone[5:], gone[:5]]
    assert {(each["topic"], each["stream_id"]) for each in told} == {("Gone", channel_id)}
    assert call(play.owner, "POST", path, topic_name="gone")["complete"] is True


def test_an_administrator_cannot_delete_a_topic_of_a_channel_that_they_do_not_see(play: Play) -> None:
    name = new_name()
    channel_id = make_channel(play.hamlet, name, is_private=True)
    sent = play.hamlet.send("mine", to=name, topic="t")
    path = f"streams/{channel_id}/delete_topic"
    assert zulip_message(refusal(play.owner, "POST", path, topic_name="t")) == "Invalid channel ID"
    assert call(play.hamlet, "GET", f"messages/{sent}")["message"]["id"] == sent


def test_nothing_can_be_changed_in_an_archived_channel(play: Play) -> None:
    name = new_name()
    channel_id = make_channel(play.owner, name, play.hamlet)
    sent = play.owner.send("x", to=name, topic="over")
    call(play.owner, "POST", f"messages/{sent}/reactions", emoji_name="octopus")
    call(play.owner, "DELETE", f"streams/{channel_id}")
    message = f"messages/{sent}"
    for method, path, fields in (
        ("PATCH", message, {"content": "changed"}),
        ("PATCH", message, {"topic": "changed"}),
        ("PATCH", message, {"stream_id": 1}),
        ("DELETE", message, {}),
        ("POST", f"{message}/reactions", {"emoji_name": "car"}),
        ("DELETE", f"{message}/reactions", {"emoji_name": "octopus"}),
        ("POST", f"{message}/typing", {"op": "start"}),
    ):
        assert zulip_message(refusal(play.owner, method, path, **fields)) == "Invalid message(s)"
    typing = {"op": "start", "type": "stream", "stream_id": channel_id, "topic": "over"}
    assert zulip_message(refusal(play.owner, "POST", "typing", **typing)) == "Invalid channel ID"
    deleting = refusal(play.owner, "POST", f"streams/{channel_id}/delete_topic", topic_name="over")
    assert zulip_message(deleting) == "Invalid channel ID"
    # One's own actions continue: reading, stars.
    call(play.hamlet, "POST", "messages/flags", messages=[sent], op="add", flag="starred")
    assert call(play.hamlet, "GET", message)["raw_content"] == "x"
