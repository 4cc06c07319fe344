"""Zulip's own bindings for Python, on files that our server issued."""

from __future__ import annotations

from pathlib import Path

import zulip

from tests.peers.conftest import Stage
from tests.server_process import OWNER_EMAIL, OWNER_NAME


def client_of(path: Path) -> zulip.Client:
    return zulip.Client(config_file=str(path), client="test")


def test_a_person_and_a_bot_are_known_by_their_files(stage: Stage) -> None:
    owner, bot = client_of(stage.owner), client_of(stage.bot)
    assert owner.get_profile()["email"] == OWNER_EMAIL
    assert owner.feature_level == 492
    profile = bot.get_profile()
    assert (profile["result"], profile["is_bot"], profile["full_name"]) == ("success", True, "Helper")
    assert {member["full_name"] for member in bot.get_members()["members"]} >= {OWNER_NAME, "Helper"}


def test_bots_are_made_changed_and_deactivated(stage: Stage) -> None:
    owner = client_of(stage.owner)
    made = owner.call_endpoint(
        url="bots",
        method="POST",
        request={
            "full_name": "Hook",
            "short_name": "hook",
            "bot_type": 3,
            "payload_url": '"https://example.com/hook"',
            "interface_type": 1,
        },
    )
    assert made["result"] == "success"
    path = f"bots/{made['user_id']}"
    renamed = owner.call_endpoint(url=path, method="PATCH", request={"full_name": "Hook Two"})
    assert renamed["full_name"] == "Hook Two"
    shown = owner.call_endpoint(url=f"{path}/api_key", method="GET")
    assert shown["api_key"] == made["api_key"]
    assert owner.call_endpoint(url=path, method="DELETE")["result"] == "success"
    assert owner.reactivate_user_by_id(made["user_id"])["result"] == "success"


def test_a_replaced_key_is_told_and_the_new_file_works(stage: Stage, tmp_path: Path) -> None:
    before = client_of(stage.owner)
    assert before.get_profile()["result"] == "success"
    stage.regenerate(stage.owner)
    refused = before.get_profile()
    assert (refused["result"], refused["msg"]) == ("error", "Invalid API key")
    assert client_of(stage.server.write_zuliprc(tmp_path / "new.zuliprc")).get_profile()["result"] == "success"


def test_the_bindings_replace_their_own_key(stage: Stage) -> None:
    bot = client_of(stage.bot)
    answer = bot.call_endpoint(url="users/me/api_key/regenerate", method="POST")
    assert answer["result"] == "success"
    assert bot.get_profile()["msg"] == "Invalid API key"


def test_unknown_parameters_are_named_to_the_bindings(stage: Stage) -> None:
    answer = client_of(stage.owner).call_endpoint(url="register_client_device", method="POST", request={"made_up": 1})
    assert answer["ignored_parameters_unsupported"] == ["made_up"]


def test_the_bindings_work_with_a_named_key_of_default_scopes(stage: Stage) -> None:
    script = client_of(stage.with_named_key(stage.bot))
    assert script.get_profile()["full_name"] == "Helper"
    queue = script.register(event_types=["message"])
    assert queue["result"] == "success"
    message = {"type": "direct", "to": [script.get_profile()["user_id"]], "content": "by a named key"}
    sent = script.send_message(message)
    assert sent["result"] == "success"
    events = script.get_events(queue_id=queue["queue_id"], last_event_id=-1)["events"]
    assert [event["message"]["content"] for event in events if event["type"] == "message"] == ["by a named key"]
    assert script.update_message({"message_id": sent["id"], "content": "edited"})["result"] == "success"
    assert script.add_reaction({"message_id": sent["id"], "emoji_name": "tada"})["result"] == "success"
    assert script.update_storage({"storage": {"place": "here"}})["result"] == "success"
    assert script.get_storage()["storage"] == {"place": "here"}
    assert script.add_subscriptions([{"name": "general"}])["code"] == "INSUFFICIENT_SCOPE"
    assert script.call_endpoint(url="users/me/api_key/regenerate", method="POST")["result"] == "error"
    replaced = script.call_endpoint(url="users/me/api_keys/current/regenerate", method="POST")
    assert replaced["result"] == "success"
    assert script.get_profile()["msg"] == "Invalid API key"
