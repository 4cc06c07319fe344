"""Incoming webhooks: what services post becomes a message, as far as the bot and its owner may see."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.domain.bots import BotType
from keybearer.server.domain.messaging.incoming_webhooks import json_text, slack_text, slack_topic
from keybearer.server.domain.messaging.messages import CONTENT_MAX_LENGTH
from keybearer.testing import Participant
from tests.messaging.conftest import Play
from tests.messaging.wire import call, new_name, new_person

Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
NAMES = ("blocks", "attachments", "text", "fields", "elements", "accessory", "title", "title_link", "ts", "image_url",
         "icon_emoji", "channel", "value", "fallback", "footer", "pretext", "type", "alt_text")  # fmt: skip
TYPES = st.sampled_from(["header", "divider", "image", "context", "section", "mrkdwn"])
Payloads = st.recursive(
    st.text(max_size=30) | TYPES | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=30,
)


def hook_of(play: Play, owner: Participant | None = None) -> Participant:
    return play.server.add_bot(new_name("hook"), owner=owner or play.hamlet, bot_type=BotType.INCOMING_WEBHOOK)


def key_of(bot: Participant) -> str:
    credentials = bot.client.credentials
    assert credentials is not None
    return credentials.api_key.reveal()


def post(play: Play, bot: Participant, name: str, body: Any, **query: str) -> httpx2.Response:
    """A service's post, with the bot's key as a header."""
    key = key_of(bot)
    with httpx2.Client(base_url=play.server.site, timeout=30) as client:
        return client.post(
            f"/api/v1/external/{name}",
            params=query,
            content=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )


def channel_of(who: Participant, **options: Any) -> str:
    name = new_name()
    call(who, "POST", "users/me/subscriptions", subscriptions=[{"name": name}], **options)
    return name


def test_any_json_becomes_a_code_block_in_the_named_channel_and_topic(play: Play) -> None:
    bot, channel = hook_of(play), channel_of(play.hamlet)
    report = {"state": "failed", "text": "naïve `code` ```", "jobs": [1, 2]}
    assert post(play, bot, "json", report, stream=channel, topic="builds").json()["result"] == "success"
    message = play.hamlet.wait_for_message(sender=bot)
    assert (message.display_recipient, message.subject) == (channel, "builds")
    fence, *lines, end = message.content.splitlines()
    assert (fence, end) == ("```json", "```")
    assert json.loads("\n".join(lines)) == report


def test_a_channel_may_be_named_by_its_id_and_a_topic_left_out(play: Play) -> None:
    bot, channel = hook_of(play), channel_of(play.hamlet)
    channel_id = call(play.hamlet, "GET", "get_stream_id", stream=channel)["stream_id"]
    assert post(play, bot, "json", [], stream=str(channel_id)).status_code == 200
    assert play.hamlet.wait_for_message(sender=bot).subject == "JSON"


def test_without_a_channel_the_owner_gets_a_direct_message(play: Play) -> None:
    bot = hook_of(play)
    assert post(play, bot, "slack_incoming", {"text": "Done."}).json()["ok"] is True
    message = play.hamlet.wait_for_message(sender=bot)
    assert (message.type, message.content) == ("private", "Done.")


def test_slacks_form_is_accepted_as_well(play: Play) -> None:
    bot = hook_of(play)
    key = key_of(bot)
    address = f"{play.server.site}/api/v1/external/slack_incoming?api_key={key}"
    answer = httpx2.post(address, data={"payload": json.dumps({"text": "By *form*"})})
    assert answer.status_code == 200, answer.text
    first = play.hamlet.wait_for_message(sender=bot)
    assert first.content == "By **form**"
    as_curl = {"content-type": "application/x-www-form-urlencoded"}
    assert httpx2.post(address, content=b'{"text": "By curl"}', headers=as_curl).status_code == 200
    assert play.hamlet.wait_for_message(sender=bot, after=first.id).content == "By curl"


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"[" * 100_000, b'"\xff"'])
def test_invalid_json_is_refused_and_not_sent(play: Play, body: bytes) -> None:
    bot = hook_of(play)
    for name in ("json", "slack_incoming"):
        answer = post(play, bot, name, body)
        assert (answer.status_code, answer.json()["msg"]) == (400, "Malformed JSON")
    assert play.hamlet.messages(sender=bot) == []


def test_a_payload_without_text_is_accepted_and_not_sent(play: Play) -> None:
    bot = hook_of(play)
    assert post(play, bot, "slack_incoming", {"username": "ci"}).status_code == 200
    assert play.hamlet.messages(sender=bot) == []


def test_a_report_larger_than_a_service_may_send_is_refused(play: Play) -> None:
    answer = post(play, hook_of(play), "json", ["x" * 300_000])
    assert answer.status_code == 413


def test_a_bot_reports_only_where_it_or_its_owner_may_post(play: Play) -> None:
    hidden = channel_of(play.cordelia, invite_only=True)
    bot = hook_of(play, play.hamlet)
    refused = post(play, bot, "json", {}, stream=hidden)
    missing = post(play, bot, "json", {}, stream="no such channel")
    assert (refused.status_code, missing.status_code) == (400, 400)
    assert refused.json()["msg"].replace(hidden, "no such channel") == missing.json()["msg"]
    assert post(play, hook_of(play, play.cordelia), "json", {}, stream=hidden).status_code == 200
    only_administrators = channel_of(play.owner, is_web_public=False)
    channel_id = call(play.owner, "GET", "get_stream_id", stream=only_administrators)["stream_id"]
    call(play.owner, "PATCH", f"streams/{channel_id}", stream_post_policy=2)
    assert post(play, bot, "json", {}, stream=only_administrators).status_code == 400


def test_a_deactivated_owners_bot_reports_nothing(play: Play) -> None:
    owner = new_person(play.server)
    bot = hook_of(play, owner)
    play.server.deactivate(owner)
    assert post(play, bot, "json", {}).status_code == 401


SLACK = [
    ({"text": "A <https://example.com/1|link> and <https://example.com/2>"},
     "A [link](https://example.com/1) and <https://example.com/2>"),
    ({"text": "*bold*, _slanted_ and snake_case_name * 2 * 3"}, "**bold**, *slanted* and snake_case_name * 2 * 3"),
    ({"text": "Hi", "icon_emoji": ":wave:"}, ":wave: Hi"),
    ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "Build"}}, {"type": "divider"},
                 {"type": "section", "text": {"type": "mrkdwn", "text": "It *failed*"},
                  "fields": [{"text": "a|b"}, {"text": "c"}, {"text": "d"}]}]},
     "## Build\n\n----\n\nIt **failed**\n\n| | |\n|-|-|\n| a b | c |\n| d |  |"),
    ({"attachments": [{"title": "T", "title_link": "https://example.com", "text": "x", "ts": 7,
                       "fields": [{"title": "Priority", "value": "High"}, {"value": "y"}]}]},
     "## [T](https://example.com)\n\nx\n\n**Priority**: High\ny\n\n<time:7>"),
    ({"attachments": [{"fallback": "plain"}]}, "plain"),
    ({"blocks": [{"type": "image", "image_url": "https://example.com/a.png", "alt_text": "A"}]},
     "[A](https://example.com/a.png)"),
    ({"blocks": [{"type": "image", "image_url": "javascript:alert(1)", "alt_text": "A"}]}, "A"),
    ({"text": 7, "blocks": "x", "attachments": [None, [], "y"]}, ""),
    ([], ""),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "text"), SLACK)
def test_slack_payloads_become_the_right_text(payload: object, text: str) -> None:
    assert slack_text(payload) == text


@pytest.mark.parametrize(("channel", "topic"), [("#ops", "ops"), ("@ada", "ada"), ("", None), (7, None)])
def test_the_channel_of_a_slack_payload_is_the_topic(channel: object, topic: str | None) -> None:
    assert slack_topic({"channel": channel}) == topic


@given(Values)
def test_every_json_value_is_shown_completely_or_cut_within_a_message(value: object) -> None:
    text = json_text(value)
    assert len(text) <= CONTENT_MAX_LENGTH
    inner = text.removeprefix("```json\n").removesuffix("\n```")
    if not inner.endswith("…") and "?" not in inner:
        assert json.loads(inner) == value


def test_a_long_or_deep_value_is_cut_before_it_is_written() -> None:
    deep: object = []
    for _ in range(100):
        deep = [deep] * 2
    for value in (deep, ["x" * 200_000], [0] * 100_000):
        text = json_text(value)
        assert len(text) <= CONTENT_MAX_LENGTH
        assert text.endswith("\n…\n```")


@given(Payloads)
def test_every_slack_payload_gives_a_text_that_can_be_stored(payload: object) -> None:
    text = slack_text(payload)
    assert "\x00" not in text
    assert text.encode().decode() == text
    assert len(text) <= 3 * CONTENT_MAX_LENGTH
