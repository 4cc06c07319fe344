"""Private channels: who may change one, and what ends with a removal."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from keybearer.server.domain.accounts import EmailVisibility, Role
from keybearer.testing import Participant
from tests.messaging.conftest import Play
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


def test_a_removal_from_a_private_channel_also_removes_the_persons_bots(play: Play) -> None:
    member, channel = new_person(play.server), new_name()
    bot = play.server.add_bot(new_name("Keeper"), owner=member)
    channel_id = make_channel(play.owner, channel, member, bot, is_private=True)
    play.owner.send("for members", to=channel, topic="plans")
    remove_subscriber(play.owner, member, channel)
    assert zulip_message(refusal(bot, "GET", f"streams/{channel_id}")) == "Invalid channel ID"
    again = {"subscriptions": [{"name": channel}], "principals": [member.id]}
    assert "Unable to access" in zulip_message(refusal(bot, "POST", "users/me/subscriptions", **again))


def test_a_creator_who_became_a_guest_cannot_change_the_channel(play: Play) -> None:
    member, channel = new_person(play.server), new_name()
    channel_id = make_channel(member, channel, is_private=True)
    give_role(play.owner, member, Role.GUEST)
    for change in (
        {"new_name": new_name()},
        {"is_private": False},
        {"stream_post_policy": 2},
        {"is_default_stream": True},
    ):
        error = refusal(member, "PATCH", f"streams/{channel_id}", **change)
        assert zulip_message(error) == "You do not have permission to administer this channel."


def test_a_default_channel_is_public_and_made_one_by_an_administrator(play: Play) -> None:
    member = new_person(play.server)
    public, private = make_channel(member, new_name()), make_channel(member, new_name(), play.owner, is_private=True)
    error = refusal(member, "PATCH", f"streams/{public}", is_default_stream=True)
    assert zulip_message(error) == "Insufficient permission"
    error = refusal(play.owner, "PATCH", f"streams/{private}", is_default_stream=True)
    assert zulip_message(error) == "A default channel cannot be private."


def test_the_private_name_of_a_channel_stays_with_its_subscribers(play: Play) -> None:
    member, stranger = new_person(play.server), new_person(play.server)
    secret, party = new_name(), new_name()
    channel_id = make_channel(member, secret, is_private=True)
    queue_id, own_queue_id = register(stranger), register(member)
    call(member, "PATCH", f"streams/{channel_id}", new_name=party)
    call(member, "PATCH", f"streams/{channel_id}", is_private=False)
    assert secret in repr(events_of(member, own_queue_id))
    assert secret not in repr(events_of(stranger, queue_id))


def test_the_new_owner_of_a_bot_is_named_by_the_address_that_the_caller_may_see(play: Play) -> None:
    member, hidden = new_person(play.server), new_person(play.server)
    hide_address(hidden, EmailVisibility.NOBODY)
    bot = play.server.add_bot(new_name("Present"), owner=member)
    answer = call(member, "PATCH", f"bots/{bot.id}", bot_owner_id=hidden.id)
    assert answer["bot_owner"] == f"user{hidden.id}@keybearer.localhost"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_calls_that_name_channels_in_opposite_orders_do_not_wait_for_each_other(play: Play, method: str) -> None:
    members = [new_person(play.server) for _ in range(4)]
    channels = [new_name() for _ in range(4)]
    for channel in channels:
        make_channel(play.owner, channel, *(members if method == "DELETE" else ()))
    chance = random.Random(8264)

    def change(who: Participant) -> None:
        for _ in range(4):
            order = chance.sample(channels, len(channels))
            wanted = order if method == "DELETE" else [{"name": each} for each in order]
            call(who, method, "users/me/subscriptions", subscriptions=wanted)

    with ThreadPoolExecutor(len(members)) as pool:
        list(pool.map(change, members))
