"""Zulip's examples about channels, topics and subscriptions, by the names that its documentation gives them."""

from __future__ import annotations

from tests.peers.examples.stage import Stage, ok, refused

PYTHON_TEST = {"name": "python-test", "description": "Channel for testing Python"}


def add_subscriptions(stage: Stage) -> None:
    ok(stage.client.add_subscriptions(streams=[PYTHON_TEST]))
    answer = ok(stage.client.add_subscriptions(streams=[{"name": "python-test"}], principals=[stage.cordelia.id]))
    assert answer["subscribed"] == {str(stage.cordelia.id): ["python-test"]}


def test_add_subscriptions_already_subscribed(stage: Stage) -> None:
    add_subscriptions(stage) if stage.client.get_stream_id("python-test")["result"] == "error" else None
    answer = ok(stage.client.add_subscriptions([{"name": "python-test"}], principals=[stage.cordelia.email]))
    assert answer["already_subscribed"]


def test_authorization_errors_fatal(stage: Stage) -> None:
    channel_id = stage.channel_id("private-channel")
    stage.call("PATCH", f"streams/{channel_id}", is_private=True)
    wanted = [{"name": "private-channel"}]
    answer = ok(stage.nonadmin.add_subscriptions(streams=wanted, authorization_errors_fatal=False))
    assert answer["unauthorized"] == ["private-channel"]
    refused(stage.nonadmin.add_subscriptions(streams=wanted, authorization_errors_fatal=True))


def add_channel(stage: Stage) -> None:
    request = {"name": "music_group", "description": "Channel for learning about music.", "subscribers": []}
    assert ok(stage.call("POST", "channels/create", **request))["id"]


def get_stream_id(stage: Stage) -> None:
    assert ok(stage.client.get_stream_id("Denmark"))["stream_id"]


def test_invalid_stream_error(stage: Stage) -> None:
    refused(stage.client.get_stream_id("nonexistent"))


def update_stream(stage: Stage) -> None:
    channel_id = stage.channel_id("to be private")
    ok(stage.client.update_stream({"stream_id": channel_id, "is_private": True}))
    [row] = [each for each in stage.client.get_streams()["streams"] if each["stream_id"] == channel_id]
    assert row["invite_only"] is True


def get_streams(stage: Stage) -> None:
    stage.client.add_subscriptions(streams=[PYTHON_TEST])
    everything = ok(stage.client.get_streams())["streams"]
    assert {each["description"] for each in everything if each["name"] == "python-test"} == {PYTHON_TEST["description"]}
    assert len(ok(stage.nonadmin.get_streams(include_public=False))["streams"]) < len(everything)


def get_subscribers(stage: Stage) -> None:
    stage.client.add_subscriptions([{"name": "two"}], principals=[stage.iago.id, stage.cordelia.id])
    assert ok(stage.client.get_subscribers(stream="two"))["subscribers"] == [stage.iago.id, stage.cordelia.id]


def get_subscriptions(stage: Stage) -> None:
    stage.client.add_subscriptions(streams=[PYTHON_TEST])
    rows = ok(stage.client.get_subscriptions())["subscriptions"]
    assert [each["description"] for each in rows if each["name"] == "python-test"] == [PYTHON_TEST["description"]]


def remove_subscriptions(stage: Stage) -> None:
    stage.client.add_subscriptions([{"name": "left"}], principals=[stage.iago.id, stage.cordelia.id])
    ok(stage.client.remove_subscriptions(["left"]))
    assert "left" not in {each["name"] for each in stage.client.get_subscriptions()["subscriptions"]}
    ok(stage.client.remove_subscriptions(["left"], principals=[stage.cordelia.email]))


def toggle_mute_topic(stage: Stage) -> None:
    for op in ("add", "remove"):
        ok(stage.client.mute_topic({"stream": "Denmark", "topic": "boat party", "op": op}))


def update_user_topic(stage: Stage) -> None:
    for policy in (1, 0):
        request = {"stream_id": stage.channel_id(), "topic": "dinner", "visibility_policy": policy}
        answer = stage.call("POST", "user_topics", **request)
        assert answer == {"result": "success", "msg": ""}


def update_subscription_settings(stage: Stage) -> None:
    one, other = [each["stream_id"] for each in stage.client.get_subscriptions()["subscriptions"]][:2]
    wanted = [
        {"stream_id": one, "property": "pin_to_top", "value": True},
        {"stream_id": other, "property": "color", "value": "#f00f00"},
    ]
    ok(stage.client.update_subscription_settings(wanted))
    rows = {each["stream_id"]: each for each in stage.client.get_subscriptions()["subscriptions"]}
    assert (rows[one]["pin_to_top"], rows[other]["color"]) == (True, "#f00f00")


def get_stream_topics(stage: Stage) -> None:
    stage.sent(topic="party")
    assert "party" in {each["name"] for each in ok(stage.client.get_stream_topics(stage.channel_id()))["topics"]}


def delete_topic(stage: Stage) -> None:
    stage.sent(topic="over")
    assert stage.call("POST", f"streams/{stage.channel_id()}/delete_topic", topic_name="over")["complete"] is True
    assert "over" not in {each["name"] for each in stage.client.get_stream_topics(stage.channel_id())["topics"]}


def archive_stream(stage: Stage) -> None:
    ok(stage.client.delete_stream(stage.channel_id("example to archive")))
    assert "example to archive" not in {each["name"] for each in stage.client.get_streams()["streams"]}


def add_default_stream(stage: Stage) -> None:
    ok(stage.client.add_default_stream(stage.channel_id("test channel")))


def remove_default_stream(stage: Stage) -> None:
    channel_id = stage.channel_id("test channel")
    stage.client.add_default_stream(channel_id)
    ok(stage.client.call_endpoint(url="/default_streams", method="DELETE", request={"stream_id": channel_id}))
    refused(stage.client.call_endpoint(url="/default_streams", method="DELETE", request={"stream_id": 99999}))


WORKS = (
    add_subscriptions, test_add_subscriptions_already_subscribed, test_authorization_errors_fatal, add_channel,
    get_stream_id, test_invalid_stream_error, update_stream, get_streams, get_subscribers, get_subscriptions,
    remove_subscriptions, toggle_mute_topic, update_user_topic, update_subscription_settings, get_stream_topics,
    delete_topic, archive_stream, add_default_stream, remove_default_stream,
)  # fmt: skip
