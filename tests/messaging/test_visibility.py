"""Channels, messages, files and addresses that an account may not see look unknown to it, at every endpoint."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

import httpx2
import pytest

from keybearer.errors import APIError
from keybearer.server.domain.accounts import EmailVisibility, Role
from keybearer.server.domain.bots import BotType
from keybearer.server.storage import accounts
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
    shape,
    zulip_message,
)

pytestmark = pytest.mark.usefixtures("connections_end_with_the_test")
UNKNOWN_ID = 987654
UNKNOWN_NAME = "no such channel"
UNKNOWN_ADDRESS = "no-such-person@example.com"
DOMAIN = "keybearer.localhost"


# Hidden channels


CHANNEL_DOORS: dict[str, Callable[[Participant, int, str], Any]] = {
    "streams/ID": lambda who, id_, _: call(who, "GET", f"streams/{id_}"),
    "members": lambda who, id_, _: call(who, "GET", f"streams/{id_}/members"),
    "topics": lambda who, id_, _: call(who, "GET", f"users/me/{id_}/topics"),
    "is_follower": lambda who, id_, _: call(who, "GET", f"users/{who.id}/subscriptions/{id_}"),
    "id by name": lambda who, _, name: call(who, "GET", "get_stream_id", stream=name),
    "change": lambda who, id_, _: call(who, "PATCH", f"streams/{id_}", description="x"),
    "archive": lambda who, id_, _: call(who, "DELETE", f"streams/{id_}"),
    "send by id": lambda who, id_, _: call(who, "POST", "messages", type="stream", to=id_, topic="t", content="x"),
    "send by name": lambda who, _, name: call(who, "POST", "messages", type="stream", to=name, topic="t", content="x"),
    "typing": lambda who, id_, _: call(who, "POST", "typing", op="start", type="stream", stream_id=id_, topic="t"),
    "unsubscribe": lambda who, _, name: call(who, "DELETE", "users/me/subscriptions", subscriptions=[name]),
    "leave and follow": lambda who, _, name: call(who, "PATCH", "users/me/subscriptions", delete=[name]),
    "choose": lambda who, id_, _: call(
        who,
        "POST",
        "users/me/subscriptions/properties",
        subscription_data=[{"stream_id": id_, "property": "is_muted", "value": True}],
    ),
    "read channel": lambda who, id_, _: call(who, "POST", "mark_stream_as_read", stream_id=id_),
    "read topic": lambda who, id_, _: call(who, "POST", "mark_topic_as_read", stream_id=id_, topic_name="t"),
    "narrow by id": lambda who, id_, _: narrowed(who, ["channel", id_]),
    "narrow by name": lambda who, _, name: narrowed(who, ["channel", name]),
    "narrow without it": lambda who, _, name: narrowed(who, ["-channel", name]),
    "flags by narrow": lambda who, id_, _: call(
        who, "POST", "messages/flags/narrow", op="add", flag="read", anchor="newest", num_before=1, num_after=0,
        narrow=[["channel", id_]],
    ),
    "matches narrow": lambda who, id_, _: call(
        who, "GET", "messages/matches_narrow", msg_ids=[1], narrow=[["channel", id_]]
    ),
    "move into it": lambda who, id_, _: call(
        who, "PATCH", f"messages/{who.send('move me', to='general')}", stream_id=id_
    ),
    "render": lambda who, _, name: call(who, "POST", "messages/render", content=f"#**{name}**"),
}  # fmt: skip


def narrowed(who: Participant, *narrow: Any) -> dict[str, Any]:
    return call(who, "GET", "messages", anchor="newest", num_before=50, num_after=0, narrow=list(narrow))


def outcome(door: Callable[[Participant, int, str], Any], who: Participant, channel_id: int, channel: str) -> Any:
    """A door's answer, without the names that the caller sent."""
    try:
        answer = door(who, channel_id, channel)
    except APIError as error:
        return shape(error, channel, channel_id)
    return str(answer).replace(channel, "…").replace(str(channel_id), "…")


def in_turn(doors: Iterable[str], *callers: tuple[object, ...]) -> list[Any]:
    """Each door with one of the callers in every run, and with all of them in the long run."""
    return [
        pytest.param(door, *caller, marks=pytest.mark.soak if (number + other) % len(callers) else ())
        for number, door in enumerate(doors)
        for other, caller in enumerate(callers)
    ]


@pytest.mark.parametrize(("door", "role"), in_turn(CHANNEL_DOORS, (Role.ADMINISTRATOR,), (Role.MEMBER,), (Role.GUEST,)))
def test_a_hidden_channel_looks_unknown(play: Play, door: str, role: Role) -> None:
    secret, who = new_name(), new_person(play.server, role)
    channel_id = make_channel(play.hamlet, secret, is_private=role is not Role.GUEST)
    unseen = outcome(CHANNEL_DOORS[door], who, channel_id, secret)
    assert unseen == outcome(CHANNEL_DOORS[door], who, UNKNOWN_ID, UNKNOWN_NAME)


def test_a_guest_cannot_tell_a_channel_to_follow_from_an_unknown_one(play: Play) -> None:
    guest, public = new_person(play.server, Role.GUEST), new_name()
    make_channel(play.hamlet, public)
    errors = [
        shape(refusal(guest, "POST", "users/me/subscriptions", subscriptions=[{"name": each}]), each)
        for each in (public, UNKNOWN_NAME)
    ]
    assert errors[0] == errors[1]


def test_lists_contain_only_visible_channels(play: Play) -> None:
    public, private, archived = new_name(), new_name(), new_name()
    make_channel(play.hamlet, public)
    make_channel(play.hamlet, private, is_private=True)
    call(play.owner, "DELETE", f"streams/{make_channel(play.owner, archived)}")
    guest = new_person(play.server, Role.GUEST)
    for who, expected in ((play.hamlet, {public, private, archived}), (play.owner, {public, archived}), (guest, set())):
        listed = call(who, "GET", "streams", include_all=True, exclude_archived=False)["streams"]
        assert {each["name"] for each in listed} & {public, private, archived} == expected
        state = call(who, "POST", "register", include_subscribers=True)
        assert (private in str(state)) is (private in expected)
        assert (public in str(state)) is (public in expected)


def test_default_channels_are_reported_only_to_people_who_see_them(play: Play) -> None:
    channel_id = make_channel(play.owner, new_name())
    call(play.owner, "PATCH", f"streams/{channel_id}", is_default_stream=True)
    guest = new_person(play.server, Role.GUEST)
    call(guest, "DELETE", "users/me/subscriptions", subscriptions=["general"])
    state = call(guest, "POST", "register", fetch_event_types=["default_streams"])
    assert channel_id in state["realm_default_streams"]  # new people follow it
    assert 1 not in state["realm_default_streams"]
    call(play.owner, "PATCH", f"streams/{channel_id}", is_default_stream=False)


# Messages of a channel after a removal from it


MESSAGE_DOORS: dict[str, Callable[[Participant, int], Any]] = {
    "one": lambda who, id_: call(who, "GET", f"messages/{id_}"),
    "history": lambda who, id_: call(who, "GET", f"messages/{id_}/history"),
    "edit": lambda who, id_: call(who, "PATCH", f"messages/{id_}", content="x"),
    "rename topic": lambda who, id_: call(
        who, "PATCH", f"messages/{id_}", topic="renamed", propagate_mode="change_all"
    ),
    "move": lambda who, id_: call(who, "PATCH", f"messages/{id_}", stream_id=1, propagate_mode="change_all"),
    "delete": lambda who, id_: call(who, "DELETE", f"messages/{id_}"),
    "react": lambda who, id_: call(who, "POST", f"messages/{id_}/reactions", emoji_name="tada"),
    "take a reaction away": lambda who, id_: call(who, "DELETE", f"messages/{id_}/reactions", emoji_name="tada"),
    "star": lambda who, id_: flagged(who, id_, "starred"),
    "mark read": lambda who, id_: flagged(who, id_, "read"),
    "narrow with it": lambda who, id_: narrowed(who, ["with", id_]),
    "narrow to it": lambda who, id_: [each["id"] for each in narrowed(who, ["id", id_])["messages"]],
    "by ids": lambda who, id_: call(who, "GET", "messages", message_ids=[id_])["messages"],
    "matches narrow": lambda who, id_: call(who, "GET", "messages/matches_narrow", msg_ids=[id_])["messages"],
}


def flagged(who: Participant, message_id: int, flag: str) -> dict[str, Any]:
    """Mark a message. Returns the answer without the ids, which it repeats."""
    answer = call(who, "POST", "messages/flags", messages=[message_id], op="add", flag=flag)
    return {name: value for name, value in answer.items() if name != "messages"}


def message_outcome(door: Callable[[Participant, int], Any], who: Participant, message_id: int) -> Any:
    try:
        return door(who, message_id)
    except APIError as error:
        return shape(error, message_id)


@pytest.mark.parametrize(("door", "role"), in_turn(MESSAGE_DOORS, (Role.ADMINISTRATOR,), (Role.MEMBER,)))
def test_an_earlier_copy_is_useless_after_a_removal_from_a_private_channel(play: Play, door: str, role: Role) -> None:
    secret, who = new_name(), new_person(play.server, role)
    make_channel(play.owner, secret, who, is_private=True)
    theirs = who.send("mine", to=secret)
    call(play.owner, "POST", f"messages/{theirs}/reactions", emoji_name="tada")
    sent = play.owner.send("before", to=secret)
    remove_subscriber(play.owner, who, secret)
    for each in (theirs, sent):
        assert message_outcome(MESSAGE_DOORS[door], who, each) == message_outcome(MESSAGE_DOORS[door], who, UNKNOWN_ID)
    history = call(play.owner, "GET", f"messages/{sent}/history")["message_history"]
    assert [(each["content"], each["topic"]) for each in history] == [("before", "test")]


def test_a_removed_member_finds_nothing_of_the_channel_anywhere(play: Play) -> None:
    secret, who = new_name(), new_person(play.server)
    make_channel(play.owner, secret, who, is_private=True)
    sent = play.owner.send("a planted text", to=secret, topic="a planted topic")
    call(who, "POST", "messages/flags", messages=[sent], op="add", flag="starred")
    call(who, "POST", "messages/flags", messages=[sent], op="remove", flag="read")
    remove_subscriber(play.owner, who, secret)
    for narrow in ([], [["search", "planted"]], [["is", "starred"]], [["topic", "a planted topic"]], [["in", "home"]]):
        assert "planted" not in str(narrowed(who, *narrow)["messages"])
    state = call(who, "POST", "register")
    assert "planted" not in str(state)
    assert sent not in state["starred_messages"]


def test_a_member_who_became_a_guest_reads_only_followed_channels(play: Play) -> None:
    public, who = new_name(), new_person(play.server)
    make_channel(play.owner, public, who)
    kept = play.owner.send("followed", to=public)
    call(who, "DELETE", "users/me/subscriptions", subscriptions=["general"])
    sent = play.owner.send("not followed", to="general", topic="guests")
    assert call(who, "GET", f"messages/{sent}")["raw_content"] == "not followed"
    give_role(play.owner, who, Role.GUEST)
    assert zulip_message(refusal(who, "GET", f"messages/{sent}")) == "Invalid message(s)"
    assert call(who, "GET", f"messages/{kept}")["raw_content"] == "followed"
    found = narrowed(who, ["channels", "public"])["messages"]
    assert {kept} <= {each["id"] for each in found}
    assert sent not in {each["id"] for each in found}


def test_a_bot_of_a_guest_reads_no_more_than_its_owner_may(play: Play) -> None:
    owner = new_person(play.server)
    bot = play.server.add_bot(new_name("Bounded"), owner=owner)
    sent = play.owner.send("for members", to="general", topic="bounded")
    assert call(bot, "GET", f"messages/{sent}")["raw_content"] == "for members"
    give_role(play.owner, owner, Role.GUEST)
    assert zulip_message(refusal(bot, "GET", f"messages/{sent}")) == "Invalid message(s)"
    mention = play.owner.send(f"hello {bot.mention}", to="general", topic="bounded")
    assert zulip_message(refusal(bot, "GET", f"messages/{mention}")) == "Invalid message(s)"


def test_a_moved_message_shows_no_version_from_the_private_channel(play: Play) -> None:
    secret = new_name()
    make_channel(play.owner, secret, is_private=True)
    sent = play.owner.send("a planted text", to=secret, topic="a planted topic")
    call(play.owner, "PATCH", f"messages/{sent}", content="harmless")
    call(play.owner, "PATCH", f"messages/{sent}", stream_id=1, topic="moved out")
    call(play.owner, "PATCH", f"messages/{sent}", content="still harmless")
    history = call(play.hamlet, "GET", f"messages/{sent}/history")["message_history"]
    assert [each["content"] for each in history] == ["harmless", "still harmless"]
    shown = [history, call(play.hamlet, "GET", f"messages/{sent}"), narrowed(play.hamlet, ["topic", "moved out"])]
    assert "planted" not in str(shown)
    assert "planted" in str(call(play.owner, "GET", f"messages/{sent}/history"))


def test_a_channel_is_linked_only_if_it_is_public_and_the_author_sees_it(play: Play) -> None:
    public, private = new_name(), new_name()
    make_channel(play.hamlet, public)
    make_channel(play.hamlet, private, is_private=True)
    guest = new_person(play.server, Role.GUEST)

    def links(who: Participant, channel: str) -> bool:
        return "data-stream-id" in call(who, "POST", "messages/render", content=f"#**{channel}**")["rendered"]

    assert links(play.cordelia, public)
    assert not links(play.hamlet, private)
    assert not links(guest, public)


def test_a_file_is_for_its_uploader_and_for_those_who_see_a_message_that_links_to_it(play: Play) -> None:
    secret, who, guest = new_name(), new_person(play.server), new_person(play.server, Role.GUEST)
    make_channel(play.owner, secret, who, is_private=True)
    file = io.BytesIO(b"words")
    file.name = "letter.txt"
    url = str(play.owner.client.upload_file(file).url)
    play.owner.send(f"[letter]({url})", to=secret)

    def status(reader: Participant) -> int:
        assert reader.client.credentials is not None
        auth = (reader.email, reader.client.credentials.api_key.reveal())
        return httpx2.get(play.server.site + url, auth=auth).status_code

    assert (status(play.owner), status(who), status(guest), status(play.hamlet)) == (200, 200, 404, 404)
    assert zulip_message(refusal(guest, "GET", url.lstrip("/"))) == "Invalid file"
    remove_subscriber(play.owner, who, secret)
    assert status(who) == 404
    call(guest, "DELETE", "users/me/subscriptions", subscriptions=["general"])
    play.owner.send(f"[letter]({url})", to="general", topic="files")
    assert (status(who), status(guest)) == (200, 404)


def test_an_outgoing_webhook_is_not_called_with_a_message_that_its_bot_does_not_see(play: Play) -> None:
    secret = new_name()
    make_channel(play.owner, secret, is_private=True)
    hook = play.server.add_bot(new_name("Hook"), owner=play.hamlet, bot_type=BotType.OUTGOING_WEBHOOK)
    play.owner.send(f"{hook.mention} planted", to=secret)
    after = play.owner.send(f"{hook.mention} hello", to="general", topic="hooks")
    # Its service cannot be reached, so the bot reports it where it was called, and only there.
    play.owner.wait_for_message(sender=hook, after=after)
    assert {message.display_recipient for message in play.owner.messages(sender=hook)} == {"general"}


# Hidden addresses


ADDRESS_DOORS: dict[str, Callable[[Participant, str], Any]] = {
    "send": lambda who, email: call(who, "POST", "messages", type="direct", to=[email], content="x"),
    "typing": lambda who, email: call(who, "POST", "typing", op="start", to=[email]),
    "presence": lambda who, email: call(who, "GET", f"users/{email}/presence"),
    "user": lambda who, email: call(who, "GET", f"users/{email}"),
    "sender": lambda who, email: narrowed(who, ["sender", email]),
    "not the sender": lambda who, email: narrowed(who, ["-sender", email]),
    "dm": lambda who, email: narrowed(who, ["dm", email]),
    "dm with others": lambda who, email: narrowed(who, ["dm-including", email]),
    "flags by narrow": lambda who, email: call(
        who, "POST", "messages/flags/narrow", op="add", flag="read", anchor="newest", num_before=1, num_after=0,
        narrow=[["sender", email]],
    ),
    "matches narrow": lambda who, email: call(
        who, "GET", "messages/matches_narrow", msg_ids=[1], narrow=[["sender", email]]
    ),
    "subscribe": lambda who, email: call(
        who, "POST", "users/me/subscriptions", subscriptions=[{"name": "general"}], principals=[email]
    ),
    "unsubscribe": lambda who, email: call(
        who, "DELETE", "users/me/subscriptions", subscriptions=["general"], principals=[email]
    ),
}  # fmt: skip


def refused(door: str, who: Participant, address: str) -> tuple[object, ...]:
    """The refusal of an address at a door, without the address."""
    with pytest.raises(APIError) as caught:
        ADDRESS_DOORS[door](who, address)
    return shape(caught.value, address)


@pytest.mark.parametrize(
    ("door", "shown_to", "role"),
    in_turn(
        ADDRESS_DOORS,
        (EmailVisibility.NOBODY, Role.OWNER),
        (EmailVisibility.ADMINISTRATORS, Role.MEMBER),
        (EmailVisibility.MEMBERS, Role.GUEST),
    ),
)
def test_a_guessed_address_that_is_hidden_looks_unknown(
    play: Play, door: str, shown_to: EmailVisibility, role: Role
) -> None:
    hidden = new_person(play.server)
    call(hidden, "POST", "users/me/presence", status="active")
    hide_address(hidden, shown_to)
    who = play.owner if role is Role.OWNER else new_person(play.server, role)
    assert refused(door, who, hidden.email) == refused(door, who, UNKNOWN_ADDRESS)


@pytest.mark.parametrize("door", ADDRESS_DOORS)
def test_a_visible_address_or_its_dummy_can_be_used(play: Play, door: str) -> None:
    hidden = new_person(play.server)
    call(hidden, "POST", "users/me/presence", status="active")
    hide_address(hidden, EmailVisibility.ADMINISTRATORS)
    for address in (hidden.email, hidden.email.upper(), f"user{hidden.id}@{DOMAIN}"):
        assert ADDRESS_DOORS[door](play.owner, address)["result"] == "success"


def test_a_deactivated_person_is_named_by_the_visible_address(play: Play) -> None:
    gone = new_person(play.server)
    hide_address(gone, EmailVisibility.ADMINISTRATORS)
    gone.deactivate()
    for who, address in ((play.hamlet, f"user{gone.id}@{DOMAIN}"), (play.owner, gone.email)):
        error = refusal(who, "POST", "messages", type="direct", to=[gone.id], content="x")
        assert zulip_message(error) == f"'{address}' is no longer using Zulip."


def test_nobody_can_get_the_dummy_address_of_another(play: Play) -> None:
    dummy = f"User{play.hamlet.id}@{DOMAIN.upper()}"
    with pytest.raises(Exception, match="This email address is reserved"):
        play.server.add_person("Dummy Person", email=dummy)


def test_an_address_that_stands_for_two_accounts_is_refused(play: Play) -> None:
    hidden, other = new_person(play.server), new_person(play.server)
    hide_address(hidden)
    dummy = f"user{hidden.id}@{DOMAIN}"

    async def take_the_dummy() -> None:  # as in a database from before it was refused, or of another site
        async with play.server._context.change(None) as change:
            account = await accounts.find(change.connection, other.id)
            assert account is not None
            await accounts.save(change.connection, account._replace(delivery_email=dummy))

    play.server.finish(take_the_dummy())
    for door in ADDRESS_DOORS:
        assert refused(door, play.owner, dummy) == refused(door, play.owner, UNKNOWN_ADDRESS)
    assert play.owner.send("by id", to=hidden) > 0


# A bot sees only channels that its owner sees


@pytest.mark.parametrize(
    "how", ["owner becomes a guest", "guest is taken out", "channel becomes private", "handed over"]
)
def test_a_bot_sees_only_channels_that_its_owner_sees(play: Play, how: str) -> None:
    name, owner = new_name(), new_person(play.server)
    bot = play.server.add_bot(new_name("Follower"), owner=owner)
    people = (owner, bot) if how in ("guest is taken out", "handed over") else (bot,)
    is_private = how == "handed over"
    channel_id = make_channel(play.owner, name, *people, is_private=is_private)
    sent = play.owner.send("planted", to=name, topic="planted")
    queue_id = register(bot)
    assert call(bot, "GET", f"messages/{sent}")["message"]["id"] == sent
    if how == "owner becomes a guest":
        give_role(play.owner, owner, Role.GUEST)
    elif how == "guest is taken out":
        give_role(play.owner, owner, Role.GUEST)
        remove_subscriber(play.owner, owner, name)
    elif how == "channel becomes private":
        call(play.owner, "PATCH", f"streams/{channel_id}", is_private=True)
    else:
        call(play.owner, "PATCH", f"bots/{bot.id}", bot_owner_id=play.cordelia.id)
        play.server.regenerate_api_key(bot)
        queue_id = register(bot)
    play.owner.send("planted later", to=name, topic="planted")
    assert zulip_message(refusal(bot, "GET", f"messages/{sent}")) == "Invalid message(s)"
    assert "planted" not in str([each for each in events_of(bot, queue_id) if each["type"] == "message"])
    with pytest.raises(APIError):
        bot.send("from inside", to=name)
