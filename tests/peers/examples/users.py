"""Zulip's examples about users and their own things. Each has the name that Zulip's documentation gives it."""

from __future__ import annotations

from keybearer.testing import PASSWORD
from tests.peers.examples.stage import Stage, file, ok, refused


def get_user_agent(stage: Stage) -> None:
    assert stage.client.get_user_agent().startswith("ZulipPython/")


def create_user(stage: Stage) -> None:
    request = {"email": "newbie@example.com", "password": PASSWORD, "full_name": "New User"}
    assert ok(stage.client.create_user(request))["user_id"]
    refused(stage.client.create_user(request))


def get_members(stage: Stage) -> None:
    by_email = {each["delivery_email"]: each for each in ok(stage.client.get_members())["members"]}
    assert not by_email["hamlet@example.com"]["is_admin"]
    assert by_email["hamlet@example.com"]["full_name"]
    pictures = ok(stage.client.get_members({"client_gravatar": False}))["members"]
    assert pictures[0]["avatar_url"]
    fields = ok(stage.client.get_members({"include_custom_profile_fields": True}))["members"]
    assert all((each.get("profile_data") is None) is each["is_bot"] for each in fields)


def get_single_user(stage: Stage) -> None:
    found = ok(stage.client.get_user_by_id(stage.cordelia.id))["user"]
    assert found["user_id"] == stage.cordelia.id
    found = ok(stage.client.get_user_by_id(stage.cordelia.id, include_custom_profile_fields=True))["user"]
    assert found["profile_data"] == {}


def get_user_by_email(stage: Stage) -> None:
    assert ok(stage.call("GET", f"users/{stage.iago.email}"))["user"]["user_id"] == stage.iago.id


def deactivate_user(stage: Stage) -> None:
    ok(stage.client.deactivate_user_by_id(stage.cordelia.id))
    assert not ok(stage.client.get_user_by_id(stage.cordelia.id))["user"]["is_active"]


def reactivate_user(stage: Stage) -> None:
    stage.client.deactivate_user_by_id(stage.cordelia.id)
    ok(stage.client.reactivate_user_by_id(stage.cordelia.id))
    assert ok(stage.client.get_user_by_id(stage.cordelia.id))["user"]["is_active"]


def update_status(stage: Stage) -> None:
    emoji = {"emoji_name": "car", "emoji_code": "1f697", "reaction_type": "unicode_emoji"}
    ok(stage.call("POST", "users/me/status", status_text="on vacation", away=False, **emoji))
    refused(stage.call("POST", "users/me/status", status_text="more than sixty characters are " * 2, away="false"))


def get_user_status(stage: Stage) -> None:
    stage.call("POST", "users/me/status", status_text="reading")
    assert ok(stage.call("GET", f"users/{stage.iago.id}/status"))["status"]["status_text"] == "reading"


def get_subscription_status(stage: Stage) -> None:
    path = f"users/{stage.hamlet.id}/subscriptions/{stage.channel_id()}"
    assert ok(stage.call("GET", path))["is_subscribed"] is True


def get_profile(stage: Stage) -> None:
    assert ok(stage.client.get_profile())["user_id"] == stage.iago.id


def deactivate_own_user(stage: Stage) -> None:
    ok(stage.nonadmin.call_endpoint(url="/users/me", method="DELETE"))
    ok(stage.owner.reactivate_user_by_id(stage.hamlet.id))
    stage.hamlet.regenerate_api_key()
    stage.nonadmin = type(stage.nonadmin)(config_file=str(stage.hamlet.zuliprc))


def upload_file(stage: Stage) -> None:
    assert "/user_uploads/" in ok(stage.client.upload_file(file("castle.txt")))["url"]


def get_attachments(stage: Stage) -> None:
    url = stage.uploaded()
    assert any(url.endswith(each["path_id"]) for each in ok(stage.client.get_attachments())["attachments"])


def remove_attachment(stage: Stage) -> None:
    stage.uploaded()
    attachment_id = stage.client.get_attachments()["attachments"][0]["id"]
    ok(stage.call("DELETE", f"attachments/{attachment_id}"))
    assert all(each["id"] != attachment_id for each in stage.client.get_attachments()["attachments"])


def set_typing_status(stage: Stage) -> None:
    for op in ("start", "stop"):
        ok(stage.client.set_typing_status({"op": op, "to": [stage.hamlet.id, stage.cordelia.id]}))
    for op in ("start", "stop"):
        topic = {"type": "stream", "op": op, "stream_id": stage.channel_id(), "topic": "typing status"}
        ok(stage.client.set_typing_status(topic))


def update_presence(stage: Stage) -> None:
    request = {"status": "active", "ping_only": False, "new_user_input": False, "last_update_id": -1}
    assert "presences" in ok(stage.client.update_presence(request))


def get_user_presence(stage: Stage) -> None:
    stage.client.update_presence({"status": "active", "ping_only": False})
    assert "aggregated" in ok(stage.client.get_user_presence(stage.iago.email))["presence"]


def get_presence(stage: Stage) -> None:
    assert "server_timestamp" in ok(stage.client.get_realm_presence())


def add_alert_words(stage: Stage) -> None:
    assert {"foo", "bar"} <= set(ok(stage.client.add_alert_words(["foo", "bar"]))["alert_words"])


def get_alert_words(stage: Stage) -> None:
    stage.client.add_alert_words(["castle"])
    assert "castle" in ok(stage.client.get_alert_words())["alert_words"]


def remove_alert_words(stage: Stage) -> None:
    stage.client.add_alert_words(["foo"])
    words = stage.client.get_alert_words()["alert_words"]
    assert ok(stage.client.remove_alert_words(words))["alert_words"] == []


def add_user_mute(stage: Stage) -> None:
    ok(stage.call("POST", f"users/me/muted_users/{stage.cordelia.id}"))
    stage.call("DELETE", f"users/me/muted_users/{stage.cordelia.id}")


def remove_user_mute(stage: Stage) -> None:
    stage.call("POST", f"users/me/muted_users/{stage.cordelia.id}")
    ok(stage.call("DELETE", f"users/me/muted_users/{stage.cordelia.id}"))


def add_apns_token(stage: Stage) -> None:
    ok(stage.call("POST", "users/me/apns_device_token", token="c0ffee", appid="org.zulip.Zulip"))


def remove_apns_token(stage: Stage) -> None:
    add_apns_token(stage)
    ok(stage.call("DELETE", "users/me/apns_device_token", token="c0ffee"))


def add_fcm_token(stage: Stage) -> None:
    ok(stage.call("POST", "users/me/android_gcm_reg_id", token="android-token"))


def remove_fcm_token(stage: Stage) -> None:
    add_fcm_token(stage)
    ok(stage.call("DELETE", "users/me/android_gcm_reg_id", token="android-token"))


def get_user_groups(stage: Stage) -> None:
    groups = ok(stage.client.get_user_groups())["user_groups"]
    [moderators] = [each for each in groups if each["name"] == "role:moderators"]
    assert moderators["is_system_group"]


WORKS = (
    get_user_agent, create_user, get_members, get_single_user, get_user_by_email, deactivate_user, reactivate_user,
    update_status, get_user_status, get_subscription_status, get_profile, deactivate_own_user, upload_file,
    get_attachments, remove_attachment, set_typing_status, update_presence, get_user_presence, get_presence,
    add_alert_words, get_alert_words, remove_alert_words, add_user_mute, remove_user_mute, add_apns_token,
    remove_apns_token, add_fcm_token, remove_fcm_token, get_user_groups,
)  # fmt: skip
