"""Every accepted parameter has an effect, or the answer names it as ignored or refuses it.

Every answer in all tests is checked for that too: none may name as ignored what its endpoint says that it accepts.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

import pytest

from keybearer.server import api
from keybearer.server.domain.bots import BotType
from tests.messaging.conftest import Play
from tests.messaging.wire import call, make_channel, new_name, new_person, refusal, zulip_message

SOURCES = sorted(Path(api.__file__).parent.rglob("*.py"))

READ_FOR_NOTHING = {
    "client_gravatar": "an offer of the client: it could find a picture that is drawn here anyway",
    "include_deactivated_groups": "groups are never deactivated here",
    "last_update_id": "that it is sent asks for the new form; everything is told again whatever it is",
    "config_data": "checked as in Zulip, which drops it too for bots that are not embedded",
    "token": "its endpoint always refuses",
    "include_profile": "its endpoint always refuses",
}
"""Parameters that are read and then dropped, and why that misleads nobody."""


def dropped(tree: ast.AST) -> list[str]:
    """The parameters whose values are never used: statements that only read one."""
    names = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            continue
        reader = node.value.func
        if isinstance(reader, ast.Attribute) and ast.unparse(reader.value).endswith("parameters"):
            argument = node.value.args[0] if node.value.args else None
            name = argument.value if isinstance(argument, ast.Constant) else ast.unparse(node)
            if reader.attr not in ("only", "disclaim"):
                names.append(str(name))
    return names


def test_no_parameter_is_read_and_dropped_unless_that_misleads_nobody() -> None:
    found = {name for path in SOURCES for name in dropped(ast.parse(path.read_text("utf-8")))}
    assert found == READ_FOR_NOTHING.keys()


def ignored(answer: dict[str, Any]) -> list[str]:
    found: list[str] = answer.get("ignored_parameters_unsupported", [])
    return found


@pytest.mark.parametrize("name", ["send_notification_to_old_thread", "send_notification_to_new_thread"])
def test_requested_notices_of_a_move_are_named_as_ignored(play: Play, name: str) -> None:
    for wanted, named in ((False, []), (True, [name])):
        sent = play.owner.send("move me", to="general", topic=new_name("topic"))
        answer = call(play.owner, "PATCH", f"messages/{sent}", topic=new_name("other"), **{name: wanted})
        assert ignored(answer) == named


def test_requested_notices_of_subscriptions_are_named_as_ignored(play: Play) -> None:
    wanted = [{"name": new_name("channel")}]
    both = {"announce": True, "send_new_subscription_messages": True}
    assert ignored(call(play.owner, "POST", "users/me/subscriptions", subscriptions=wanted, **both)) == sorted(both)
    neither = dict.fromkeys(both, False)
    assert ignored(call(play.owner, "POST", "users/me/subscriptions", subscriptions=wanted, **neither)) == []


@pytest.mark.parametrize(
    "setting", [{"is_web_public": True}, {"history_public_to_subscribers": False}, {"message_retention_days": 30}]
)
def test_a_channel_with_unsupported_readers_or_retention_is_refused(play: Play, setting: dict[str, object]) -> None:
    channel_id = make_channel(play.owner, new_name("channel"))
    subscriptions = [{"name": new_name("never")}]
    refusal(play.owner, "POST", "users/me/subscriptions", subscriptions=subscriptions, **setting)
    refusal(play.owner, "POST", "channels/create", name=new_name("never"), subscribers=[play.owner.id], **setting)
    refusal(play.owner, "PATCH", f"streams/{channel_id}", **setting)


@pytest.mark.parametrize("kept", ["realm_default", "unlimited"])
def test_only_the_fixed_retention_of_messages_is_accepted(play: Play, kept: str) -> None:
    fields = {"name": new_name("channel"), "subscribers": [play.owner.id], "message_retention_days": kept}
    assert ignored(call(play.owner, "POST", "channels/create", **fields)) == []


def test_fixed_properties_of_a_person_are_refused_in_zulips_words(play: Play) -> None:
    """Row by row as in Zulip without profile fields, and where nobody may change another's address."""
    person = new_person(play.server)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"profile_data": [{"id": 7, "value": "x"}]}, "Field id 7 not found."),
        ({"new_email": "else@example.com"}, "User not authorized to change user emails"),
    ]
    for change, words in refused:
        error = refusal(play.owner, "PATCH", f"users/{person.id}", full_name=new_name("never"), **change)
        assert zulip_message(error) == words
    for who in (person.id, person.email):
        answer = call(play.owner, "PATCH", f"users/{who}", profile_data=[], new_email=person.email)
        assert ignored(answer) == []


def test_only_administrators_change_a_person_by_id_or_by_address(play: Play) -> None:
    person = new_person(play.server)
    for who in (person.id, person.email):
        name = new_name("Renamed")
        assert zulip_message(refusal(person, "PATCH", f"users/{who}", full_name=name)) == "Insufficient permission"
        call(play.owner, "PATCH", f"users/{who}", full_name=name)
        assert call(play.cordelia, "GET", f"users/{person.id}")["user"]["full_name"] == name
    error = refusal(play.owner, "PATCH", "users/nobody@example.com", full_name="Nobody")
    assert zulip_message(error) == "No such user"


@pytest.mark.parametrize(
    ("group", "number", "shown"),
    [(7, 1, 7), (3, 2, 3), (5, 3, 5), (6, 3, 5), (4, 4, 4), ({"direct_members": [], "direct_subgroups": [3]}, 2, 3)],
)
def test_who_may_post_is_set_as_a_group(play: Play, group: object, number: int, shown: int) -> None:
    made = call(
        play.owner,
        "POST",
        "channels/create",
        name=new_name("channel"),
        subscribers=[play.owner.id],
        can_send_message_group=group,
    )["id"]
    changed = make_channel(play.owner, new_name("channel"))
    call(play.owner, "PATCH", f"streams/{changed}", can_send_message_group={"new": group, "old": 7})
    for channel_id in (made, changed):
        row = call(play.owner, "GET", f"streams/{channel_id}")["stream"]
        assert (row["stream_post_policy"], row["can_send_message_group"]) == (number, shown)


def test_an_unsupported_group_and_a_group_changed_in_the_meantime_are_refused(play: Play) -> None:
    channel_id = make_channel(play.owner, new_name("channel"))
    for group in (1, 2, 99, {"new": 1}):
        refusal(play.owner, "PATCH", f"streams/{channel_id}", can_send_message_group=group)
    old = {"new": 3, "old": 4}
    answer = refusal(play.owner, "PATCH", f"streams/{channel_id}", can_send_message_group=old)
    assert answer.code == "EXPECTATION_MISMATCH"


def test_announcement_only_can_be_ended_in_its_old_form(play: Play) -> None:
    channel_id = make_channel(play.owner, new_name("channel"))
    for value, number in ((True, 2), (False, 1)):
        call(play.owner, "PATCH", f"streams/{channel_id}", is_announcement_only=value)
        assert call(play.owner, "GET", f"streams/{channel_id}")["stream"]["stream_post_policy"] == number


def test_channels_are_listed_for_each_combination_of_parameters(play: Play) -> None:
    person = new_person(play.server)
    bot = play.server.add_bot(new_name("bot"), owner=person)
    open_id, own_id = make_channel(play.owner, new_name("open")), make_channel(person, new_name("own"))
    default_id = make_channel(play.owner, new_name("default"))
    call(play.owner, "POST", "default_streams", stream_id=default_id)

    def listed(**wanted: bool) -> set[int]:
        asked = {"include_public": False, "include_subscribed": False, **wanted}
        return {each["stream_id"] for each in call(bot, "GET", "streams", **asked)["streams"]}

    assert listed() == set()
    # Zulip documents `is_default` for callers that ask for default channels.
    for wanted in (True, False):
        assert all(
            ("is_default" in each) is wanted for each in call(bot, "GET", "streams", include_default=wanted)["streams"]
        )
    assert default_id in listed(include_default=True)
    assert not {open_id, own_id} & listed(include_default=True)
    assert own_id in listed(include_owner_subscribed=True)
    assert open_id not in listed(include_owner_subscribed=True)
    assert {open_id, own_id, default_id} <= listed(include_can_access_content=True)
    call(play.owner, "DELETE", "default_streams", stream_id=default_id)


def test_topics_of_a_history_are_empty_for_clients_that_support_that(play: Play) -> None:
    sent = call(play.owner, "POST", "messages", type="stream", to="general", topic="", content="no topic")["id"]
    call(play.owner, "PATCH", f"messages/{sent}", topic="named")
    for knows, shown in ((True, ""), (False, "general chat")):
        first, moved = call(play.owner, "GET", f"messages/{sent}/history", allow_empty_topic_name=knows)[
            "message_history"
        ]
        assert (first["topic"], moved["prev_topic"], moved["topic"]) == (shown, shown, "named")


def test_a_text_is_changed_only_if_it_is_the_one_that_the_client_knows(play: Play) -> None:
    sent = play.owner.send("first", to="general", topic="digests")
    digest = hashlib.sha256(b"first").hexdigest()
    call(play.owner, "PATCH", f"messages/{sent}", content="second", prev_content_sha256=digest)
    answer = refusal(play.owner, "PATCH", f"messages/{sent}", content="third", prev_content_sha256=digest)
    assert answer.code == "EXPECTATION_MISMATCH"
    assert call(play.owner, "GET", f"messages/{sent}")["raw_content"] == "second"


def test_presence_is_returned_for_the_requested_number_of_days(play: Play) -> None:
    person = new_person(play.server)
    call(person, "POST", "users/me/presence", status="active")
    for days, told in ((-(2**31), False), (0, False), (1, True), (9999, True), (2**31 - 1, True)):
        asked = call(person, "POST", "users/me/presence", status="idle", slim_presence=True, history_limit_days=days)
        state = call(
            play.owner,
            "POST",
            "register",
            fetch_event_types=["presence"],
            presence_history_limit_days=days,
            slim_presence=True,
        )
        for presences in (asked["presences"], state["presences"]):
            assert (str(person.id) in presences) is told


def test_a_service_is_named_as_ignored_or_refused_for_bots_that_have_none(play: Play) -> None:
    service = {"payload_url": '"http://127.0.0.1:1/"', "interface_type": 1, "service_name": "x"}
    new = {"full_name": new_name("plain"), "short_name": new_name("plain").replace(" ", "")}
    made = call(play.owner, "POST", "bots", bot_type=BotType.GENERIC.value, **new, **service)
    assert ignored(made) == sorted(service)
    answer = refusal(play.owner, "PATCH", f"bots/{made['user_id']}", service_interface=1)
    assert zulip_message(answer) == "Only outgoing webhook bots have a service."
