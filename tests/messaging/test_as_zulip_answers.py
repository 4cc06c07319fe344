"""Answers and events as Zulip gives them at feature level 492, according to its documented API and its changelog."""

from __future__ import annotations

from itertools import pairwise

import httpx2
import pytest

from keybearer.server.domain.bots import BotType, ServiceInterface
from keybearer.server.domain.messaging.text_differences import Marker
from keybearer.server.services.messaging import emoji
from tests.messaging.conftest import Play
from tests.messaging.wire import call, events_of, make_channel, new_name, new_person, refusal, register, zulip_message


def test_the_version_is_a_number_and_keybearers_own_is_added(play: Play) -> None:
    for answer in (call(play.hamlet, "GET", "server_settings"), call(play.hamlet, "POST", "register")):
        assert float(answer["zulip_version"]) == 12.0
        assert answer["keybearer_version"]


def test_old_presence_has_two_rows_since_level_178(play: Play) -> None:
    queue_id = register(play.cordelia, event_types=["presence"])
    simplified = register(
        play.cordelia, event_types=["presence"], client_capabilities={"simplified_presence_events": True}
    )
    slim = register(play.cordelia, event_types=["presence"], slim_presence=True)
    everybody = call(play.hamlet, "POST", "users/me/presence", status="active")["presences"]
    for rows in (
        everybody[play.hamlet.email],
        call(play.owner, "GET", "realm/presence")["presences"][play.hamlet.email],
    ):
        assert set(rows) == {"aggregated", "website"}
    assert set(call(play.owner, "GET", f"users/{play.hamlet.id}/presence")["presence"]) == {"aggregated", "website"}
    (event,) = events_of(play.cordelia, queue_id)
    assert set(event["presence"]) == {"website"}
    assert "simplified" not in event
    (by_id,) = events_of(play.cordelia, slim)
    # Zulip's `process_presence_event`: clients that want presence by id get no address.
    assert set(event) - set(by_id) == {"email"}
    (event,) = events_of(play.cordelia, simplified)
    assert set(event) == {"type", "id", "presences"}
    assert set(event["presences"][str(play.hamlet.id)]) == {"active_timestamp", "idle_timestamp"}


def test_deleted_messages_are_named_in_the_form_that_a_client_supports(play: Play) -> None:
    """Zulip documents `message_ids` for the capability `bulk_message_deletion`, and `message_id` for the others."""
    old, new = (
        register(play.hamlet, event_types=["delete_message"], client_capabilities={"bulk_message_deletion": knows})
        for knows in (False, True)
    )
    sent = play.hamlet.send("gone soon", to=play.cordelia)
    call(play.owner, "DELETE", f"messages/{play.owner.send('gone too', to=play.hamlet)}")
    call(play.hamlet, "DELETE", f"messages/{sent}")
    by_old, by_new = events_of(play.hamlet, old)[-1], events_of(play.hamlet, new)[-1]
    assert (by_old["message_id"], "message_ids" in by_old) == (sent, False)
    assert (by_new["message_ids"], "message_id" in by_new) == ([sent], False)


def test_an_account_that_is_away_is_shown_as_offline(play: Play) -> None:
    person = new_person(play.server)
    call(person, "POST", "users/me/presence", status="active")
    call(person, "POST", "users/me/status", away=True)
    assert call(play.owner, "GET", f"users/{person.id}/status")["status"] == {"away": True}
    assert person.email not in call(play.owner, "GET", "realm/presence")["presences"]
    call(person, "POST", "users/me/status", away=False, status_text="back")
    assert call(play.owner, "GET", f"users/{person.id}/status")["status"] == {"status_text": "back"}
    assert person.email in call(play.owner, "GET", "realm/presence")["presences"]


def test_a_bots_service_and_token_are_shown_only_to_its_managers(play: Play) -> None:
    queue_id, of_other = register(play.hamlet, event_types=["realm_bot"]), register(play.cordelia)
    bot = play.server.add_bot(
        new_name("hooker"), owner=play.hamlet, bot_type=BotType.OUTGOING_WEBHOOK, payload_url="http://127.0.0.1:1/x"
    )
    assert bot.client.credentials is not None
    token = bot.client.credentials.token
    assert token is not None
    service = {"base_url": "http://127.0.0.1:1/x", "interface": 1, "token": token.reveal()}
    row = next(each for each in call(play.hamlet, "POST", "register")["realm_bots"] if each["user_id"] == bot.id)
    assert row["services"] == [service]
    assert (row["email"], row["bot_type"]) == (bot.email, 3)
    (added,) = [each for each in events_of(play.hamlet, queue_id) if each["op"] == "add"]
    assert added["bot"]["services"] == [service]
    call(play.hamlet, "PATCH", f"bots/{bot.id}", service_interface=ServiceInterface.SLACK.value)
    changed = [each for each in events_of(play.hamlet, queue_id, added["id"]) if "services" in each["bot"]]
    assert [each["bot"]["services"][0]["interface"] for each in changed] == [2]
    assert token.reveal() not in str(events_of(play.cordelia, of_other))
    assert token.reveal() not in str(call(play.cordelia, "POST", "register"))


def test_an_event_about_a_changed_account_has_only_the_changes(play: Play) -> None:
    """Zulip documents an event of `realm_user` for each field that can change."""
    person = new_person(play.server)
    fields = {"full_name": new_name("bot"), "short_name": new_name("named").replace(" ", "-"), "bot_type": 3}
    bot_id = call(person, "POST", "bots", payload_url='"http://example.com/"', **fields)["user_id"]
    queue_id = register(play.cordelia, event_types=["realm_user"])
    for change in ({"service_interface": 2}, {"full_name": new_name("renamed")}):
        call(person, "PATCH", f"bots/{bot_id}", **change)
    for visibility in (3, 5, 1):
        call(person, "PATCH", "settings", email_address_visibility=visibility)
    told = [set(event["person"]) - {"user_id"} for event in events_of(play.cordelia, queue_id)]
    assert told == [{"full_name"}, {"new_email"}, {"new_email"}]


def test_messages_that_are_marked_unread_are_described(play: Play) -> None:
    topic = new_name("topic")
    in_channel = play.owner.send("@**Hamlet Prince** look", to="general", topic=topic)
    direct = play.owner.send("look", to=play.hamlet)
    ids = [in_channel, direct]
    call(play.hamlet, "POST", "messages/flags", messages=ids, op="add", flag="read")
    queue_id = register(play.hamlet, event_types=["update_message_flags"])
    call(play.hamlet, "POST", "messages/flags", messages=ids, op="remove", flag="read")
    (event,) = events_of(play.hamlet, queue_id)
    channel_id = call(play.hamlet, "GET", "get_stream_id", stream="general")["stream_id"]
    assert event["message_details"] == {
        str(in_channel): {
            "type": "stream",
            "stream_id": channel_id,
            "topic": topic,
            "unmuted_stream_msg": True,
            "mentioned": True,
        },
        str(direct): {"type": "private", "user_ids": [play.owner.id]},
    }


def test_flags_of_missing_messages_are_ignored(play: Play) -> None:
    sent = play.owner.send("here", to=play.hamlet)
    call(play.hamlet, "POST", "messages/flags", messages=[sent, 2_000_000_000], op="add", flag="starred")
    assert call(play.hamlet, "GET", f"messages/{sent}")["message"]["flags"].count("starred") == 1


def test_an_anchor_can_be_a_date_and_counts_have_defaults(play: Play) -> None:
    topic = new_name("topic")
    first = play.owner.send("one", to="general", topic=topic)
    narrow = [["channel", "general"], ["topic", topic]]
    found = call(play.hamlet, "GET", "messages", anchor="date", anchor_date="2020-01-01", num_after=1, narrow=narrow)
    assert [each["id"] for each in found["messages"]] == [first]
    assert found["anchor"] == first
    later = call(play.hamlet, "GET", "messages", anchor="date", anchor_date="2999-01-01T00:00:00Z", narrow=narrow)
    assert later["messages"] == []
    assert (
        zulip_message(refusal(play.hamlet, "GET", "messages", anchor="date", anchor_date="soon"))
        == "Invalid anchor_date"
    )
    by_ids = call(play.hamlet, "GET", "messages", message_ids=[first])
    assert [by_ids[name] for name in ("found_anchor", "found_oldest", "found_newest")] == [False] * 3


def test_messages_by_ids_cannot_be_combined_with_a_range(play: Play) -> None:
    """Zulip's documentation of `message_ids`: an error together with parameters of a range (feature level 300)."""
    sent = play.hamlet.send("by its id", to=play.cordelia)
    for of_range in ({"anchor": "newest"}, {"num_before": 1}, {"num_after": 1}, {"include_anchor": False}):
        error = refusal(play.hamlet, "GET", "messages", message_ids=[sent], **of_range)
        assert zulip_message(error).startswith("Unsupported parameter combination: message_ids")
    assert [each["id"] for each in call(play.hamlet, "GET", "messages", message_ids=[sent])["messages"]] == [sent]


@pytest.mark.parametrize("path", ["mark_stream_as_read", "mark_topic_as_read"])
def test_marking_an_unknown_channel_is_refused_as_an_invalid_channel_id(play: Play, path: str) -> None:
    error = refusal(play.hamlet, "POST", path, stream_id=999_999, topic_name="x")
    assert (error.code, zulip_message(error)) == ("BAD_REQUEST", "Invalid channel ID")


def test_a_channel_that_does_not_exist_is_named_as_requested(play: Play) -> None:
    by_id = refusal(play.hamlet, "POST", "messages", type="stream", to=999_999, topic="x", content="x")
    assert (by_id.code, by_id.answer["stream_id"]) == ("STREAM_DOES_NOT_EXIST", 999_999)
    by_name = refusal(play.hamlet, "POST", "messages", type="stream", to="nowhere", topic="x", content="x")
    assert (by_name.code, by_name.answer["stream"]) == ("STREAM_DOES_NOT_EXIST", "nowhere")


def test_moved_and_edited_messages_have_the_time_of_the_change(play: Play) -> None:
    name = new_name()
    make_channel(play.owner, name, play.hamlet)
    sent = play.owner.send("text", to=name, topic="before")
    queue_id = register(play.hamlet, event_types=["update_message"])
    call(play.owner, "PATCH", f"messages/{sent}", topic="after")
    moved = call(play.hamlet, "GET", f"messages/{sent}")["message"]
    assert moved["last_moved_timestamp"]
    assert "last_edit_timestamp" not in moved
    call(play.owner, "PATCH", f"messages/{sent}", content="new text")
    edited = call(play.hamlet, "GET", f"messages/{sent}")["message"]
    assert edited["last_edit_timestamp"] >= moved["last_moved_timestamp"]
    assert [event["stream_name"] for event in events_of(play.hamlet, queue_id)] == [name, name]
    history = call(play.hamlet, "GET", f"messages/{sent}/history")["message_history"]
    assert history[-1]["content_html_diff"] == '<p><span class="highlight_text_inserted">new </span>text</p>'


def test_nobody_gets_two_events_about_their_own_subscription(play: Play) -> None:
    name = new_name()
    make_channel(play.owner, name)
    queue_id = register(play.hamlet, event_types=["subscription"])
    call(play.hamlet, "POST", "users/me/subscriptions", subscriptions=[{"name": name}])
    assert [event["op"] for event in events_of(play.hamlet, queue_id)] == ["add"]


def test_typing_in_channels_is_reported_to_clients_that_support_it(play: Play) -> None:
    without = register(play.hamlet, event_types=["typing"])
    knowing = register(play.hamlet, event_types=["typing"], client_capabilities={"stream_typing_notifications": True})
    channel_id = call(play.hamlet, "GET", "get_stream_id", stream="general")["stream_id"]
    call(play.owner, "POST", "typing", type="stream", op="start", stream_id=channel_id, topic="x")
    assert events_of(play.hamlet, without) == []
    assert [event["stream_id"] for event in events_of(play.hamlet, knowing)] == [channel_id]


def test_null_settings_are_only_for_clients_that_support_null(play: Play) -> None:
    old = call(play.hamlet, "POST", "register")["subscriptions"][0]
    new = call(play.hamlet, "POST", "register", client_capabilities={"notification_settings_null": True})
    assert (old["push_notifications"], new["subscriptions"][0]["push_notifications"]) == (False, None)


def test_only_old_clients_get_settings_next_to_the_other_fields(play: Play) -> None:
    """Zulip documents them there for clients without the capability `user_settings_object` (feature level 89)."""
    person = new_person(play.server)
    call(person, "PATCH", "settings", timezone="Europe/Berlin", enable_login_emails=False)
    old = call(person, "POST", "register")
    shown = ("color_scheme", "emojiset", "notification_sound", "timezone", "enable_login_emails", "enable_sounds")
    assert {name: old[name] for name in shown} == {name: old["user_settings"][name] for name in shown}
    assert (old["timezone"], old["enable_login_emails"]) == ("Europe/Berlin", False)
    new = call(person, "POST", "register", client_capabilities={"user_settings_object": True})
    assert not set(shown) & set(new)


def test_somebody_elses_queue_looks_unknown(play: Play) -> None:
    queue_id = register(play.hamlet)
    for method, parameters in (("GET", {"last_event_id": -1, "dont_block": True}), ("DELETE", {})):
        error = refusal(play.cordelia, method, "events", queue_id=queue_id, **parameters)
        assert (error.code, error.answer["queue_id"]) == ("BAD_EVENT_QUEUE_ID", queue_id)


def test_an_event_about_a_channel_made_public_says_who_sees_its_history(play: Play) -> None:
    channel_id = make_channel(play.owner, new_name(), play.hamlet, is_private=True)
    queue_id = register(play.hamlet, event_types=["stream"])
    call(play.owner, "PATCH", f"streams/{channel_id}", is_private=False)
    (event,) = [each for each in events_of(play.hamlet, queue_id) if each.get("property") == "invite_only"]
    assert (event["history_public_to_subscribers"], event["is_web_public"]) == (True, False)


def test_an_administrator_can_make_a_new_channel_a_default_channel(play: Play) -> None:
    name = new_name()
    rows = [{"name": name}]
    error = refusal(play.hamlet, "POST", "users/me/subscriptions", subscriptions=rows, is_default_stream=True)
    assert zulip_message(error) == "Insufficient permission"
    answer = call(
        play.owner,
        "POST",
        "users/me/subscriptions",
        subscriptions=rows,
        is_default_stream=True,
        folder_id=3,
    )
    assert answer["ignored_parameters_unsupported"] == ["folder_id"]
    channel_id = call(play.owner, "GET", "get_stream_id", stream=name)["stream_id"]
    assert channel_id in call(play.owner, "POST", "register")["realm_default_streams"]


def test_a_deactivated_account_cannot_be_deactivated_again(play: Play) -> None:
    person = new_person(play.server)
    call(play.owner, "DELETE", f"users/{person.id}")
    assert zulip_message(refusal(play.owner, "DELETE", f"users/{person.id}")) == "User is deactivated"


def test_a_service_with_the_slack_interface_gets_no_direct_messages(play: Play) -> None:
    bot = play.server.add_bot(
        new_name("slacker"), owner=play.hamlet, bot_type=BotType.OUTGOING_WEBHOOK, payload_url="http://127.0.0.1:1/x"
    )
    call(play.hamlet, "PATCH", f"bots/{bot.id}", service_interface=ServiceInterface.SLACK.value)
    answer = play.hamlet.ask(bot, "hello")
    assert "Failure! Slack outgoing webhooks don't support direct messages." in answer.content


@pytest.mark.parametrize(
    ("name", "code"),
    [("plus", "2795"), ("clock", "1f557"), ("thinking", "1f914"), ("flag_germany", "1f1e9-1f1ea"), ("smile", "1f642"),
     ("one", "0031-20e3"), ("dog", "1f415"), ("party_popper", "1f389")],
)  # fmt: skip
def test_emoji_have_the_codes_of_zulips_table(play: Play, name: str, code: str) -> None:
    sent = play.owner.send("react", to="general", topic="emoji")
    call(play.hamlet, "POST", f"messages/{sent}/reactions", emoji_name=name)
    (reaction,) = call(play.hamlet, "GET", f"messages/{sent}")["message"]["reactions"]
    assert reaction["emoji_code"] == code


@pytest.mark.parametrize(("token", "fits"), [("c0ffee", True), ("C0FFEE", True), ("zz/zzzz=", False), ("c0f", False)])
def test_apples_tokens_are_hexadecimal(play: Play, token: str, fits: bool) -> None:
    if fits:
        call(play.hamlet, "POST", "users/me/apns_device_token", token=token, appid="org.zulip.Zulip")
    else:
        error = refusal(play.hamlet, "POST", "users/me/apns_device_token", token=token, appid="org.zulip.Zulip")
        assert zulip_message(error) == "Invalid APNS token"


def test_an_event_about_a_new_account_has_the_address_that_everybody_may_see(play: Play) -> None:
    queue_id = register(play.cordelia, event_types=["realm_user"])
    bot = play.server.add_bot(new_name("told"), owner=play.hamlet)
    (added,) = [each for each in events_of(play.cordelia, queue_id) if each["op"] == "add"]
    assert added["person"]["delivery_email"] == bot.email


def test_typing_says_no_more_than_a_message_would(play: Play) -> None:
    queue_id = register(play.hamlet, event_types=["typing"], client_capabilities={"stream_typing_notifications": True})
    channel_id = call(play.hamlet, "GET", "get_stream_id", stream="general")["stream_id"]
    place = {"type": "stream", "op": "start", "stream_id": channel_id}
    call(play.owner, "POST", "typing", topic="x" * 100_000, **place)
    (event,) = events_of(play.hamlet, queue_id)
    assert event["topic"] == "x" * 57 + "..."
    assert zulip_message(refusal(play.owner, "POST", "typing", **place)) == "Missing topic"
    assert zulip_message(refusal(play.owner, "POST", "typing", type="stream", op="start")) == "Missing stream_id"
    call(play.owner, "PATCH", f"streams/{channel_id}", stream_post_policy=2)
    reason = zulip_message(refusal(play.hamlet, "POST", "typing", topic="x", **place))
    assert reason == "You do not have permission to post in this channel."
    long = {"type": "direct", "to": [play.owner.id], "content": "words", "queue_id": "x" * 101}
    assert "queue_id" in zulip_message(refusal(play.hamlet, "POST", "messages", **long))


def test_channels_are_left_only_if_the_others_can_be_followed(play: Play) -> None:
    path, fine, wrong = "users/me/subscriptions", [{"name": "another place"}], [{"name": "x" * 61}]
    assert zulip_message(refusal(play.hamlet, "PATCH", path, delete=["general"], add=wrong))
    assert "general" in [each["name"] for each in call(play.hamlet, "GET", path)["subscriptions"]]
    changed = call(play.hamlet, "PATCH", path, delete=["general"], add=fine)
    assert (changed["removed"], changed["subscribed"]) == (["general"], {str(play.hamlet.id): ["another place"]})


def test_a_direct_message_is_moved_nowhere(play: Play) -> None:
    path = f"messages/{play.hamlet.send('words', to=play.owner)}"
    moves: dict[str, dict[str, object]] = {"Direct messages cannot be moved to channels.": {"stream_id": 1}}
    moves |= {"Direct messages cannot have topics.": {"topic": "elsewhere"}}
    moves |= {"Invalid propagate_mode without topic edit": {"content": "new", "propagate_mode": "change_all"}}
    assert [zulip_message(refusal(play.hamlet, "PATCH", path, **fields)) for fields in moves.values()] == list(moves)


def test_the_difference_of_two_texts_marks_what_changed_and_stays_bounded() -> None:
    assert Marker().marked("<p>a b</p>", "<p>a c</p>") == (
        '<p>a <span class="highlight_text_deleted">b</span><span class="highlight_text_inserted">c</span></p>'
    )
    long = "<p>" + "x " * 100_000 + "</p>"
    assert len(Marker().marked(long, long + "<p>y</p>")) < 3 * len(long)


def test_comparing_many_versions_stays_bounded_together() -> None:
    marker = Marker()
    versions = [
        "<p>" + " ".join(f"a {letter}{number}" for number in range(70)) + "</p>" for letter in "bcdefghijk" * 20
    ]
    marked = [marker.marked(before, after) for before, after in pairwise(versions)]
    assert marked[0].count("highlight_text_deleted") == 70
    assert marked[-1].count("highlight_text_deleted") == 1


def test_the_table_of_emoji_is_at_the_url_from_register_and_every_name_has_its_code(play: Play) -> None:
    url = call(play.hamlet, "POST", "register", fetch_event_types=["realm"])["server_emoji_data_url"]
    response = httpx2.get(url)
    assert response.headers["access-control-allow-origin"] == "*"
    codes = response.json()["code_to_names"]
    assert codes["1f642"][0] == "smile"
    assert len(codes) > 1800
    assert all(emoji.code_of(name) == code for code, names in codes.items() for name in names)
