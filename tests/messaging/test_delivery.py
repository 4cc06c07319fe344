"""A queue delivers only what its account may see at the time of delivery, not what it could see before."""

from __future__ import annotations

import pytest

from keybearer.server.domain.accounts import EmailVisibility, Role
from keybearer.testing import Participant
from tests.messaging.conftest import Play
from tests.messaging.test_events import PATIENCE, waiting_poll
from tests.messaging.wire import (
    call,
    events_of,
    give_role,
    hide_address,
    make_channel,
    new_name,
    new_person,
    refusal,
    register,
    remove_subscriber,
    zulip_message,
)

pytestmark = pytest.mark.usefixtures("connections_end_with_the_test")


def texts(who: Participant, queue_id: str) -> list[str]:
    return [each["message"]["content"] for each in events_of(who, queue_id) if each["type"] == "message"]


def kinds(who: Participant, queue_id: str) -> list[tuple[str, str | None]]:
    return [(each["type"], each.get("op")) for each in events_of(who, queue_id)]


def test_a_guest_gets_only_events_of_followed_channels(play: Play) -> None:
    guest, followed, public = new_person(play.server, Role.GUEST), new_name(), new_name()
    make_channel(play.owner, followed, guest)
    make_channel(play.owner, public)
    queue_id = register(guest, event_types=["message"], all_public_streams=True)
    play.owner.send("not for guests", to=public)
    sent = play.owner.send("for followers", to=followed)
    assert texts(guest, queue_id) == ["for followers"]
    assert call(guest, "GET", f"messages/{sent}")["raw_content"] == "for followers"


def test_a_guest_gets_no_events_about_public_channels(play: Play) -> None:
    guest, followed, public = new_person(play.server, Role.GUEST), new_name(), new_name()
    queues = {who: register(who, event_types=["stream", "subscription"]) for who in (guest, play.cordelia)}
    channel_id = make_channel(play.owner, public, play.hamlet)
    call(play.owner, "PATCH", f"streams/{channel_id}", new_name=f"{public} renamed", description="planted")
    call(play.hamlet, "DELETE", "users/me/subscriptions", subscriptions=[f"{public} renamed"])
    call(play.owner, "DELETE", f"streams/{channel_id}")
    assert events_of(guest, queues[guest]) == []
    assert {("stream", "create"), ("stream", "update"), ("stream", "delete"), ("subscription", "peer_add"),
            ("subscription", "peer_remove")} <= set(kinds(play.cordelia, queues[play.cordelia]))  # fmt: skip
    followed_id = make_channel(play.owner, followed, guest)
    call(play.owner, "PATCH", f"streams/{followed_id}", description="followed")
    told = kinds(guest, queues[guest])
    assert {("subscription", "add"), ("stream", "update")} <= set(told)


def test_a_member_who_became_a_guest_no_longer_gets_public_channels(play: Play) -> None:
    who, public = new_person(play.server), new_name()
    make_channel(play.owner, public)
    queue_id = register(who, event_types=["message"], all_public_streams=True)
    play.owner.send("before", to=public)
    assert texts(who, queue_id) == ["before"]
    give_role(play.owner, who, Role.GUEST)
    play.owner.send("after", to=public)
    assert texts(who, queue_id) == []


def test_a_waiting_poll_gets_only_what_its_account_may_see(play: Play) -> None:
    who, public = new_person(play.server), new_name()
    make_channel(play.owner, public)
    queue_id = register(who, event_types=["message"], all_public_streams=True)
    poll = waiting_poll(play, who, queue_id)
    give_role(play.owner, who, Role.GUEST)
    play.owner.send("not for guests", to=public)
    play.owner.send("for them", to=who)
    events = poll.result(PATIENCE)["events"]
    assert [each["message"]["content"] for each in events] == ["for them"]


def test_events_queued_before_a_removal_are_not_delivered_after_it(play: Play) -> None:
    who, secret = new_person(play.server), new_name()
    channel_id = make_channel(play.owner, secret, who, is_private=True)
    queue_id = register(who, client_capabilities={"stream_typing_notifications": True})
    sent = play.owner.send("planted", to=secret, topic="planted")
    call(play.owner, "POST", f"messages/{sent}/reactions", emoji_name="tada")
    call(play.owner, "POST", "typing", op="start", type="stream", stream_id=channel_id, topic="planted")
    call(play.owner, "PATCH", f"streams/{channel_id}", description="planted")
    assert {"message", "reaction", "typing", "stream"} <= {each["type"] for each in events_of(who, queue_id)}
    remove_subscriber(play.owner, who, secret)
    call(play.owner, "PATCH", f"messages/{sent}", content="planted after", topic="planted after")
    call(play.owner, "DELETE", f"messages/{sent}")
    assert kinds(who, queue_id) == [("subscription", "remove")]
    assert "planted" not in str(events_of(who, queue_id))


def test_only_subscribers_get_events_of_a_channel_that_became_private(play: Play) -> None:
    public = new_name()
    channel_id = make_channel(play.owner, public, play.hamlet)
    queues = {who: register(who, all_public_streams=True) for who in (play.hamlet, play.cordelia)}
    play.owner.send("while it was public", to=public)
    call(play.owner, "PATCH", f"streams/{channel_id}", is_private=True, new_name=f"{public} planted")
    assert texts(play.hamlet, queues[play.hamlet]) == ["while it was public"]
    assert events_of(play.cordelia, queues[play.cordelia]) == []


def test_a_demoted_administrator_no_longer_gets_events_about_others_bots(play: Play) -> None:
    administrator, owner = new_person(play.server, Role.ADMINISTRATOR), new_person(play.server)
    queues = {each: register(each, event_types=["realm_bot"]) for each in (administrator, owner)}
    bot = play.server.add_bot(new_name("Told"), owner=owner)
    call(owner, "PATCH", f"bots/{bot.id}", full_name=new_name("Renamed"))
    assert kinds(administrator, queues[administrator])[0] == ("realm_bot", "add")
    assert kinds(owner, queues[owner])[0] == ("realm_bot", "add")
    give_role(play.owner, administrator, Role.MEMBER)
    assert events_of(administrator, queues[administrator]) == []
    give_role(play.owner, owner, Role.GUEST)
    assert events_of(owner, queues[owner]) == []
    for each in (administrator, owner):
        state = call(each, "POST", "register", fetch_event_types=["realm_bot"])
        assert bot.id not in {every["user_id"] for every in state["realm_bots"]}


def test_members_and_bots_get_no_events_about_others_bots(play: Play) -> None:
    queues = {each: register(each, event_types=["realm_bot"]) for each in (play.cordelia, play.bot)}
    play.server.add_bot(new_name("Untold"), owner=play.hamlet)
    for each, queue_id in queues.items():
        assert events_of(each, queue_id) == []


@pytest.mark.parametrize("mode", ["change_one", "change_all"])
def test_a_move_out_of_sight_deletes_the_messages_and_names_nothing(play: Play, mode: str) -> None:
    secret, who = new_name(), new_person(play.server)
    channel_id = make_channel(play.owner, secret, play.hamlet, is_private=True)
    ids = [play.owner.send("words", to="general", topic=f"out {mode}") for _ in range(2)]
    queues = {each: register(each, event_types=["update_message", "delete_message"]) for each in (who, play.hamlet)}
    moved = ids if mode == "change_all" else ids[:1]
    call(play.owner, "PATCH", f"messages/{ids[0]}", stream_id=channel_id, topic="planted", propagate_mode=mode)
    (gone,) = events_of(who, queues[who])
    gone_ids = gone.get("message_ids", [gone["message_id"]])
    assert (gone["type"], gone_ids, gone["stream_id"]) == ("delete_message", moved, 1)
    assert "planted" not in str(gone)
    assert "new_stream_id" not in gone
    (told,) = events_of(play.hamlet, queues[play.hamlet])
    assert (told["type"], told["message_ids"], told["new_stream_id"]) == ("update_message", moved, channel_id)
    assert zulip_message(refusal(who, "GET", f"messages/{ids[0]}")) == "Invalid message(s)"


def test_a_move_out_of_a_private_channel_names_it_only_to_those_who_see_it(play: Play) -> None:
    secret, who = new_name(), new_person(play.server)
    make_channel(play.owner, secret, play.hamlet, is_private=True)
    sent = play.owner.send("words", to=secret, topic="planted")
    queues = {each: register(each, event_types=["update_message"]) for each in (who, play.hamlet)}
    call(play.owner, "PATCH", f"messages/{sent}", stream_id=1, topic="public now")
    (arrived,) = events_of(who, queues[who])
    assert "planted" not in str(arrived)
    assert secret not in str(arrived)
    (told,) = events_of(play.hamlet, queues[play.hamlet])
    assert told["orig_subject"] == "planted"


def test_followers_of_only_the_new_channel_are_told_where_the_messages_are_now(play: Play) -> None:
    secret, who = new_name(), new_person(play.server)
    make_channel(play.owner, secret, play.hamlet, is_private=True)
    target_id = make_channel(play.owner, new_name(), who)
    sent = play.owner.send("words", to=secret, topic="planted")
    queue_id = register(who, event_types=["update_message", "delete_message"])
    call(play.owner, "PATCH", f"messages/{sent}", stream_id=target_id, topic="public now")
    (told,) = events_of(who, queue_id)
    assert (told["message_ids"], told["stream_id"]) == ([sent], target_id)
    assert (told["orig_subject"], told["subject"]) == ("public now", "public now")
    assert "new_stream_id" not in told
    assert secret not in str(told)
    assert "planted" not in str(told)


def test_people_who_could_not_see_a_channel_get_it_as_created_when_it_becomes_public(play: Play) -> None:
    guest = new_person(play.server, Role.GUEST)
    channel_id = make_channel(play.owner, new_name(), play.hamlet, is_private=True)
    types = ["stream", "subscription"]
    queues = {each: register(each, event_types=types) for each in (play.cordelia, play.hamlet, guest)}
    call(play.owner, "PATCH", f"streams/{channel_id}", is_private=False)
    created, peers = events_of(play.cordelia, queues[play.cordelia])
    assert (created["op"], [each["stream_id"] for each in created["streams"]]) == ("create", [channel_id])
    assert created["streams"][0]["invite_only"] is False
    assert (peers["op"], peers["user_ids"]) == ("peer_add", sorted([play.owner.id, play.hamlet.id]))
    (changed,) = events_of(play.hamlet, queues[play.hamlet])
    assert (changed["op"], changed["property"], changed["value"]) == ("update", "invite_only", False)
    assert events_of(guest, queues[guest]) == []


def test_a_message_moved_out_of_sight_is_no_longer_delivered(play: Play) -> None:
    secret, who = new_name(), new_person(play.server)
    channel_id = make_channel(play.owner, secret, is_private=True)
    queue_id = register(who, event_types=["message"])
    sent = play.owner.send("planted", to="general", topic="to be moved")
    call(play.owner, "PATCH", f"messages/{sent}", stream_id=channel_id)
    assert events_of(who, queue_id) == []


def test_an_event_is_delivered_without_an_address_hidden_since(play: Play) -> None:
    who = new_person(play.server)
    bot = play.server.add_bot(new_name("Witness"), owner=play.hamlet)
    queue_id = register(play.hamlet)
    call(who, "POST", "users/me/presence", status="active")
    sent = who.send("hello", to=play.hamlet)
    call(who, "POST", f"messages/{sent}/reactions", emoji_name="tada")
    call(who, "POST", "typing", op="start", to=[play.hamlet.id])
    assert str(events_of(play.hamlet, queue_id)).count(f"'{who.email}'") == 6
    hide_address(who, EmailVisibility.ADMINISTRATORS)
    told = str(events_of(play.hamlet, queue_id))
    assert who.email not in told
    assert told.count(f"'user{who.id}@keybearer.localhost'") == 7
    assert bot.email not in told
