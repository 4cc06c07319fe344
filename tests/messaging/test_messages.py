"""Messages on the wire: sending, reading, changing, deleting."""

from __future__ import annotations

from typing import Any

import pytest

from keybearer.server.domain.bots import BotType
from tests.messaging.conftest import Play
from tests.messaging.wire import call, refusal, zulip_message


def texts(answer: dict[str, Any]) -> list[str]:
    return [message["content"] for message in answer["messages"]]


def newest(play: Play, who: str = "hamlet", **options: Any) -> dict[str, Any]:
    parameters = {"anchor": "newest", "num_before": 50, "num_after": 0, "apply_markdown": False, **options}
    return call(getattr(play, who), "GET", "messages", **parameters)


def test_a_message_to_a_channel_reaches_its_subscribers(play: Play) -> None:
    sent = call(play.owner, "POST", "messages", type="stream", to="general", topic="reach", content="hello **all**")
    found = call(play.hamlet, "GET", f"messages/{sent['id']}")
    assert found["raw_content"] == "hello **all**"
    message = found["message"]
    assert message["content"] == "<p>hello <strong>all</strong></p>"
    assert message["content_type"] == "text/html"
    assert (message["type"], message["display_recipient"], message["subject"]) == ("stream", "general", "reach")
    assert (message["sender_id"], message["sender_full_name"]) == (play.owner.id, "Olivia Owner")
    assert message["flags"] == []


@pytest.mark.parametrize(
    "to",
    ["general", "GENERAL", '"general"', '["general"]', "1", "[1]"],
    ids=["name", "case", "json", "list", "id", "ids"],
)
def test_a_channel_is_named_in_every_form_that_clients_use(play: Play, to: str) -> None:
    assert call(play.hamlet, "POST", "messages", type="channel", to=to, topic="forms", content="x")["id"] > 0


def test_the_topic_can_be_sent_under_its_old_name(play: Play) -> None:
    sent = call(play.hamlet, "POST", "messages", type="stream", to="general", subject="old name", content="x")
    assert call(play.hamlet, "GET", f"messages/{sent['id']}")["message"]["subject"] == "old name"


@pytest.mark.parametrize("form", ["emails", "ids", "one email", "one id", "comma"])
def test_people_can_be_named_by_emails_or_ids(play: Play, form: str) -> None:
    to: Any = {
        "emails": [play.cordelia.email],
        "ids": [play.cordelia.id],
        "one email": play.cordelia.email,
        "one id": play.cordelia.id,
        "comma": f"{play.cordelia.email}, {play.hamlet.email}",
    }[form]
    sent = call(play.hamlet, "POST", "messages", type="private", to=to, content=f"by {form}")
    message = call(play.cordelia, "GET", f"messages/{sent['id']}")["message"]
    assert {each["id"] for each in message["display_recipient"]} == {play.hamlet.id, play.cordelia.id}


def test_a_direct_message_is_only_for_its_people(play: Play) -> None:
    sent = play.hamlet.send("between us", to=play.cordelia)
    assert zulip_message(refusal(play.owner, "GET", f"messages/{sent}")) == "Invalid message(s)"
    assert "between us" not in texts(newest(play, "owner"))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"type": "stream", "to": "nowhere", "topic": "t", "content": "x"}, "Channel 'nowhere' does not exist"),
        ({"type": "stream", "to": "999", "topic": "t", "content": "x"}, "Channel with ID '999' does not exist"),
        ({"type": "stream", "to": "general", "topic": "t", "content": " \n "}, "Message must not be empty"),
        ({"type": "stream", "to": "general", "content": "x"}, "Missing topic"),
        ({"type": "stream", "to": "", "topic": "t", "content": "x"}, "Missing channel"),
        ({"type": "stream", "to": "[1,2]", "topic": "t", "content": "x"}, "Expected exactly one channel"),
        ({"type": "stream", "to": "{}", "topic": "t", "content": "x"}, "Invalid data type for channel"),
        ({"type": "shout", "to": "general", "topic": "t", "content": "x"}, "Invalid type"),
        ({"type": "private", "to": "[]", "content": "x"}, "Message must have recipients"),
        ({"type": "private", "to": '["a@b.c"]', "content": "x"}, "Invalid email 'a@b.c'"),
        ({"type": "private", "to": "[999]", "content": "x"}, "Invalid user ID 999"),
        ({"type": "private", "to": "[99999999999]", "content": "x"}, "Invalid user ID 99999999999"),
        ({"type": "private", "to": '[1,"a@b.c"]', "content": "x"},
         "Recipient lists may contain emails or user IDs, but not both."),
        ({"type": "private", "to": "{}", "content": "x"}, "Invalid data type for recipients"),
        ({"type": "stream", "to": "general", "topic": "t"}, "Missing 'content' argument"),
        ({"to": "general", "topic": "t", "content": "x"}, "Missing 'type' argument"),
        ({"type": "stream", "to": "general", "topic": "a\x07b", "content": "x"},
         "Invalid character in topic, at position 2!"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_sent_is_refused_in_zulips_words(
    play: Play, parameters: dict[str, str], message: str
) -> None:
    assert zulip_message(refusal(play.hamlet, "POST", "messages", **parameters)) == message


def test_a_text_that_is_too_long_is_cut_as_in_zulip(play: Play) -> None:
    sent = play.hamlet.send("x" * 10_001, to="general", topic="t" * 61)
    found = call(play.hamlet, "GET", f"messages/{sent}")
    assert found["raw_content"].endswith("x\n[message truncated]")
    assert len(found["raw_content"]) == 10_000
    assert found["message"]["subject"] == "t" * 57 + "..."


def test_an_incoming_webhook_bot_may_only_send(play: Play) -> None:
    hook = play.server.add_bot("Hook", owner=play.hamlet, bot_type=BotType.INCOMING_WEBHOOK)
    assert hook.send("built", to="general", topic="builds") > 0
    assert zulip_message(refusal(hook, "GET", "messages")) == "This API is not available to incoming webhook bots."


def test_a_deactivated_person_cannot_be_written_to(play: Play) -> None:
    gone = play.server.add_person("Ophelia")
    gone.deactivate()
    error = refusal(play.hamlet, "POST", "messages", type="private", to=[gone.id], content="x")
    assert zulip_message(error) == f"'{gone.email}' is no longer using Zulip."


def test_html_in_a_message_is_inert(play: Play) -> None:
    sent = play.hamlet.send("<script>alert(1)</script><img src=x onerror=alert(1)>", to="general", topic="inert")
    content = call(play.owner, "GET", f"messages/{sent}")["message"]["content"]
    assert "<script" not in content
    assert "<img" not in content
    assert "&lt;script&gt;" in content


def test_a_mention_flags_the_message_for_the_mentioned_account(play: Play) -> None:
    sent = play.owner.send(f"{play.hamlet.mention} look", to="general", topic="mention")
    assert call(play.hamlet, "GET", f"messages/{sent}")["message"]["flags"] == ["mentioned"]
    assert call(play.cordelia, "GET", f"messages/{sent}")["message"]["flags"] == []


def test_a_wildcard_flags_the_message_for_everybody(play: Play) -> None:
    sent = play.owner.send("@**all** look", to="general", topic="mention")
    flags = call(play.cordelia, "GET", f"messages/{sent}")["message"]["flags"]
    assert flags == ["stream_wildcard_mentioned", "wildcard_mentioned"]


def test_a_generic_bot_that_is_mentioned_gets_the_message_without_following_the_channel(play: Play) -> None:
    sent = play.owner.send(f"alas {play.bot.mention}", to="general", topic="bots")
    other = play.owner.send("no bot here", to="general", topic="bots")
    ids = [message.id for message in play.bot.messages(sender=play.owner)]
    assert sent in ids
    assert other not in ids


@pytest.mark.parametrize(
    ("narrow", "expected"),
    [
        ([["channel", "general"], ["topic", "Narrow"]], ["one link http://a.example", "two", "three"]),
        ([["stream", "general"], ["topic", "narrow"], ["sender", "owner@example.com"]], ["two"]),
        ([["topic", "narrow"], ["search", "THREE"]], ["three"]),
        ([["topic", "narrow"], ["has", "link"]], ["one link http://a.example"]),
        ([["topic", "narrow"], {"operator": "has", "operand": "link", "negated": True}], ["two", "three"]),
        ([["topic", "narrow"], ["-has", "link"]], ["two", "three"]),
        ([["topic", "narrow"], ["sender", "me"]], ["three"]),
        ([["topic", "narrow"], ["is", "dm"]], []),
        ([["topic", "narrow"], ["in", "home"]], ["one link http://a.example", "two", "three"]),
        ([["channels", "public"], ["topic", "narrow"]], ["one link http://a.example", "two", "three"]),
    ],
)
def test_a_narrow_shows_what_matches_all_its_terms(play: Play, narrow: Any, expected: list[str]) -> None:
    known = newest(play, narrow=[["topic", "narrow"]])
    if not known["messages"]:
        play.cordelia.send("one link http://a.example", to="general", topic="narrow")
        play.owner.send("two", to="general", topic="narrow")
        play.hamlet.send("three", to="general", topic="narrow")
    assert texts(newest(play, narrow=narrow)) == expected


def test_narrows_to_people_find_conversations(play: Play) -> None:
    third = play.server.add_person("Horatio Friend")
    alone = play.hamlet.send("to you", to=third)
    group = play.hamlet.send("to both", to=[third, play.cordelia])
    found = newest(play, narrow=[["dm", third.email]])
    assert [message["id"] for message in found["messages"]] == [alone]
    found = newest(play, narrow=[["dm", [third.id, play.cordelia.id]]])
    assert [message["id"] for message in found["messages"]] == [group]
    found = newest(play, narrow=[["pm-with", third.email]])
    assert [message["id"] for message in found["messages"]] == [alone]
    found = newest(play, narrow=[["dm-including", third.id]])
    assert [message["id"] for message in found["messages"]] == [alone, group]


@pytest.mark.parametrize(
    ("narrow", "message"),
    [
        ([["flavour", "x"]], "Invalid narrow operator: unknown operator flavour"),
        ([["is", "nice"]], "Invalid narrow operator: unknown 'is' operand nice"),
        ([["channel", "nowhere"]], "Invalid narrow operator: unknown channel nowhere"),
        ([["sender", "a@b.c"]], "Invalid narrow operator: unknown user a@b.c"),
        ([["dm", "a@b.c"]], "Invalid narrow operator: unknown user a@b.c"),
    ],
)
def test_a_bad_narrow_is_refused_in_zulips_words(play: Play, narrow: Any, message: str) -> None:
    error = refusal(play.hamlet, "GET", "messages", anchor="newest", num_before=1, num_after=0, narrow=narrow)
    assert (zulip_message(error), error.code) == (message, "BAD_NARROW")


@pytest.mark.parametrize(
    "narrow", ["x", "{}", '["a"]', '[["is"]]', '[["is", 1]]', '[[1, "x"]]', '[{"operator": "is"}]']
)
def test_a_malformed_narrow_is_refused(play: Play, narrow: str) -> None:
    error = refusal(play.hamlet, "GET", "messages", anchor="newest", num_before=1, num_after=0, narrow=narrow)
    assert error.status == 400


def test_anchors_and_counts_select_the_right_messages(play: Play) -> None:
    ids = [play.cordelia.send(f"piece {number}", to="general", topic="pieces") for number in range(5)]

    def piece(**options: Any) -> tuple[list[int], bool, bool, bool]:
        found = call(play.hamlet, "GET", "messages", narrow=[["topic", "pieces"]], **options)
        there = [ids.index(message["id"]) for message in found["messages"]]
        return there, found["found_anchor"], found["found_oldest"], found["found_newest"]

    assert piece(anchor="newest", num_before=2, num_after=0) == ([3, 4], False, False, True)
    assert piece(anchor="oldest", num_before=0, num_after=2) == ([0, 1], False, True, False)
    assert piece(anchor=ids[2], num_before=1, num_after=1) == ([1, 2, 3], True, False, False)
    assert piece(anchor=ids[2], num_before=9, num_after=9) == ([0, 1, 2, 3, 4], True, True, True)
    assert piece(anchor=ids[2], num_before=1, num_after=1, include_anchor=False) == ([1, 3], False, False, False)
    assert piece(anchor=10**30, num_before=1, num_after=1) == ([4], False, False, True)
    call(play.hamlet, "POST", "messages/flags", messages=ids[:3], op="add", flag="read")
    assert piece(anchor="first_unread", num_before=1, num_after=0) == ([2, 3], True, False, False)
    found = call(play.hamlet, "GET", "messages", message_ids=[ids[4], ids[0]])
    assert [message["id"] for message in found["messages"]] == [ids[0], ids[4]]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"num_before": 1, "num_after": 1}, "Missing 'anchor' argument."),
        ({"anchor": "here", "num_before": 1, "num_after": 1}, "Invalid anchor"),
        ({"anchor": "newest", "num_before": -1, "num_after": 1}, "num_before is too small"),
        ({"anchor": "newest", "num_before": 5000, "num_after": 1}, "Too many messages requested (maximum 5000)."),
        ({"anchor": "newest", "num_before": "x", "num_after": 1}, "num_before is not valid JSON"),
    ],
)
def test_an_invalid_query_is_refused(play: Play, parameters: dict[str, Any], message: str) -> None:
    assert zulip_message(refusal(play.hamlet, "GET", "messages", **parameters)) == message


def test_an_author_changes_the_text_and_its_history_is_kept(play: Play) -> None:
    sent = play.hamlet.send("first", to="general", topic="edits")
    call(play.hamlet, "PATCH", f"messages/{sent}", content="second")
    call(play.hamlet, "PATCH", f"messages/{sent}", topic="edited")
    found = call(play.owner, "GET", f"messages/{sent}")
    assert (found["raw_content"], found["message"]["subject"]) == ("second", "edited")
    assert found["message"]["last_edit_timestamp"] > 0
    history = call(play.owner, "GET", f"messages/{sent}/history")["message_history"]
    assert [(each["content"], each["topic"]) for each in history] == [
        ("first", "edits"),
        ("second", "edits"),
        ("second", "edited"),
    ]


def test_nobody_else_can_change_or_delete_a_message(play: Play) -> None:
    sent = play.hamlet.send("mine", to="general", topic="edits")
    error = refusal(play.cordelia, "PATCH", f"messages/{sent}", content="yours")
    assert zulip_message(error) == "You don't have permission to edit this message"
    assert zulip_message(refusal(play.owner, "PATCH", f"messages/{sent}", content="ours")) == zulip_message(error)
    error = refusal(play.cordelia, "DELETE", f"messages/{sent}")
    assert zulip_message(error) == "You don't have permission to delete this message"
    assert zulip_message(refusal(play.hamlet, "PATCH", f"messages/{sent}")) == "Nothing to change"
    call(play.owner, "DELETE", f"messages/{sent}")
    assert zulip_message(refusal(play.hamlet, "GET", f"messages/{sent}")) == "Invalid message(s)"


def test_a_whole_topic_moves_together(play: Play) -> None:
    ids = [play.hamlet.send(str(number), to="general", topic="moving") for number in range(3)]
    call(play.hamlet, "PATCH", f"messages/{ids[1]}", topic="moved", propagate_mode="change_later")
    topics = {each["name"]: each["max_id"] for each in call(play.hamlet, "GET", "users/me/1/topics")["topics"]}
    assert (topics["moving"], topics["moved"]) == (ids[0], ids[2])
    call(play.hamlet, "PATCH", f"messages/{ids[0]}", topic="MOVED", propagate_mode="change_all")
    assert len(newest(play, narrow=[["topic", "moved"]])["messages"]) == 3


def test_people_who_join_later_see_earlier_messages_of_a_channel(play: Play) -> None:
    sent = play.owner.send("before you came", to="general", topic="later")
    late = play.server.add_person("Fortinbras Late")
    assert call(late, "GET", f"messages/{sent}")["message"]["flags"] == ["read", "historical"]
    assert late.messages() == []
    found = call(late, "GET", "messages", anchor="newest", num_before=9, num_after=0, narrow=[["channel", "general"]])
    assert sent in [message["id"] for message in found["messages"]]


def test_an_empty_topic_has_a_name_for_clients_that_do_not_support_it(play: Play) -> None:
    sent = call(play.hamlet, "POST", "messages", type="stream", to="general", topic="(no topic)", content="x")["id"]
    assert call(play.hamlet, "GET", f"messages/{sent}")["message"]["subject"] == "general chat"
    known = call(play.hamlet, "GET", f"messages/{sent}", allow_empty_topic_name=True)
    assert known["message"]["subject"] == ""


def test_a_text_is_rendered_without_being_sent(play: Play) -> None:
    answer = call(play.hamlet, "POST", "messages/render", content=f"*hi* {play.cordelia.mention} #**general**")
    assert f'<span class="user-mention" data-user-id="{play.cordelia.id}">@Cordelia Lear</span>' in answer["rendered"]
    assert 'data-stream-id="1" href="/#narrow/channel/1-general">#general</a>' in answer["rendered"]


def test_the_profile_has_the_newest_message(play: Play) -> None:
    sent = play.owner.send("newest", to=play.cordelia)
    assert call(play.cordelia, "GET", "users/me")["max_message_id"] == sent
    nobody = play.server.add_bot("Nobody Bot")
    assert call(nobody, "GET", "users/me")["max_message_id"] == -1
