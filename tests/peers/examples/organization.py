"""Zulip's examples about the organization, invitations and refused callers, by the names of its documentation."""

from __future__ import annotations

import zulip

from keybearer import api_key
from tests.peers.examples.stage import Stage, ok, refused

TEN_DAYS = 60 * 24 * 10


def send_invitations(stage: Stage) -> None:
    request = {"invite_expires_in_minutes": TEN_DAYS, "invite_as": 400, "stream_ids": [stage.channel_id()]}
    ok(stage.call("POST", "invites", invitee_emails="example@zulip.com, logan@zulip.com", **request))
    assert {each["email"] for each in stage.invitations(is_multiuse=False)} >= {"example@zulip.com", "logan@zulip.com"}


def get_invitations(stage: Stage) -> None:
    stage.call("POST", "invites", invitee_emails="listed@zulip.com", stream_ids=[])
    [row] = [each for each in stage.invitations(is_multiuse=False) if each["email"] == "listed@zulip.com"]
    assert (row["invited_by_user_id"], row["invited_as"]) == (stage.iago.id, 400)


def revoke_email_invitation(stage: Stage) -> None:
    stage.call("POST", "invites", invitee_emails="delete-invite@zulip.com", stream_ids=[])
    [row] = [each for each in stage.invitations(is_multiuse=False) if each["email"] == "delete-invite@zulip.com"]
    ok(stage.call("DELETE", f"invites/{row['id']}"))
    assert row["id"] not in {each["id"] for each in stage.invitations(is_multiuse=False)}


def resend_email_invitation(stage: Stage) -> None:
    stage.call("POST", "invites", invitee_emails="again@zulip.com", stream_ids=[])
    ok(stage.call("POST", f"invites/{stage.invitations(is_multiuse=False)[0]['id']}/resend"))


def create_reusable_invitation_link(stage: Stage) -> None:
    request = {"invite_expires_in_minutes": TEN_DAYS, "invite_as": 400, "stream_ids": [stage.channel_id()]}
    assert ok(stage.call("POST", "invites/multiuse", **request))["invite_link"].startswith(stage.server.site)


def revoke_reusable_invitation_link(stage: Stage) -> None:
    url = ok(stage.call("POST", "invites/multiuse"))["invite_link"]
    [row] = [each for each in stage.invitations(is_multiuse=True) if each["link_url"] == url]
    ok(stage.call("DELETE", f"invites/multiuse/{row['id']}"))
    assert row["id"] not in {each["id"] for each in stage.invitations(is_multiuse=True)}


def edit_reusable_invitation_link(stage: Stage) -> None:
    url = ok(stage.call("POST", "invites/multiuse", invite_as=400, stream_ids=[]))["invite_link"]
    [row] = [each for each in stage.invitations(is_multiuse=True) if each["link_url"] == url]
    ok(stage.call("PATCH", f"invites/multiuse/{row['id']}", invite_as=600, stream_ids=[stage.channel_id()]))
    [row] = [each for each in stage.invitations(is_multiuse=True) if each["link_url"] == url]
    assert row["invited_as"] == 600


def get_server_settings(stage: Stage) -> None:
    assert ok(stage.client.get_server_settings())["realm_url"] == stage.server.site


def get_realm_emoji(stage: Stage) -> None:
    assert ok(stage.client.get_realm_emoji())["emoji"] == {}


def get_realm_linkifiers(stage: Stage) -> None:
    assert ok(stage.call("GET", "realm/linkifiers"))["linkifiers"] == []


def get_realm_profile_fields(stage: Stage) -> None:
    assert ok(stage.call("GET", "realm/profile_fields"))["custom_fields"] == []


def update_settings(stage: Stage) -> None:
    request = {
        "enable_offline_push_notifications": True,
        "enable_online_push_notifications": True,
        "emojiset": "google",
    }
    answer = stage.call("PATCH", "settings", **request)
    # Nothing here has these settings: the answer must say so.
    assert (answer["result"], answer["ignored_parameters_unsupported"]) == ("success", sorted(request))


def test_invalid_api_key(stage: Stage) -> None:
    made_up = zulip.Client(email=stage.iago.email, api_key=api_key.generate().reveal(), site=stage.server.site)
    refused(made_up.get_subscriptions(), code="UNAUTHORIZED")


def test_user_account_deactivated(stage: Stage) -> None:
    gone = stage.server.add_person("Gone Person")
    client = zulip.Client(config_file=str(gone.zuliprc))
    gone.deactivate()
    refused(client.render_message({"content": "**foo**"}), code="UNAUTHORIZED")


WORKS = (
    send_invitations, get_invitations, revoke_email_invitation, resend_email_invitation,
    create_reusable_invitation_link, revoke_reusable_invitation_link, edit_reusable_invitation_link,
    get_server_settings, get_realm_emoji, get_realm_linkifiers, get_realm_profile_fields, update_settings,
    test_invalid_api_key, test_user_account_deactivated,
)  # fmt: skip
