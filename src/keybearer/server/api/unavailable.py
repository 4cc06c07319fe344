"""What Zulip's API has and this server does not have: one answer for all of it, after the caller is identified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from keybearer.server.api.call import Call
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import NO_SCOPE
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM, NO_BODY, PICTURE
from keybearer.server.http.routing import Handler

UNAVAILABLE: Mapping[str, tuple[str, ...]] = {
    "Scheduled messages": (
        "GET scheduled_messages",
        "POST scheduled_messages",
        "PATCH scheduled_messages/{scheduled_message_id}",
        "DELETE scheduled_messages/{scheduled_message_id}",
    ),
    "Reminders": ("GET reminders", "POST reminders", "DELETE reminders/{reminder_id}"),
    "Drafts": ("GET drafts", "POST drafts", "PATCH drafts/{draft_id}", "DELETE drafts/{draft_id}"),
    "Saved snippets": (
        "GET saved_snippets",
        "POST saved_snippets",
        "PATCH saved_snippets/{saved_snippet_id}",
        "DELETE saved_snippets/{saved_snippet_id}",
    ),
    "Navigation views": (
        "GET navigation_views",
        "POST navigation_views",
        "PATCH navigation_views/{fragment}",
        "DELETE navigation_views/{fragment}",
    ),
    "Custom user groups": (
        "POST user_groups/create",
        "PATCH user_groups/{user_group_id}",
        "DELETE user_groups/{user_group_id}",
        "POST user_groups/{user_group_id}/deactivate",
        "GET user_groups/{user_group_id}/members",
        "POST user_groups/{user_group_id}/members",
        "GET user_groups/{user_group_id}/members/{user_id}",
        "GET user_groups/{user_group_id}/subgroups",
        "POST user_groups/{user_group_id}/subgroups",
    ),
    "Custom emoji": ("POST realm/emoji/{emoji_name}", "DELETE realm/emoji/{emoji_name}"),
    "Linkifiers": (
        "POST realm/filters",
        "PATCH realm/filters/{filter_id}",
        "DELETE realm/filters/{filter_id}",
        "PATCH realm/linkifiers",
    ),
    "Custom profile fields": (
        "POST realm/profile_fields",
        "PATCH realm/profile_fields",
        "PATCH realm/profile_fields/{field_id}",
        "DELETE realm/profile_fields/{field_id}",
        "PATCH users/me/profile_data",
        "DELETE users/me/profile_data",
    ),
    "Code playgrounds": ("POST realm/playgrounds", "DELETE realm/playgrounds/{playground_id}"),
    "Allowed domains": (
        "GET realm/domains",
        "POST realm/domains",
        "PATCH realm/domains/{domain}",
        "DELETE realm/domains/{domain}",
    ),
    "Icons and logos": (
        "GET realm/icon",
        "POST realm/icon",
        "DELETE realm/icon",
        "GET realm/logo",
        "POST realm/logo",
        "DELETE realm/logo",
    ),
    "Uploaded avatars": ("POST users/me/avatar", "DELETE users/me/avatar"),
    "Default settings of new users": ("PATCH realm/user_settings_defaults",),
    "Deactivations of the organization": ("POST realm/deactivate",),
    "Data exports": (
        "GET export/realm",
        "POST export/realm",
        "DELETE export/realm/{export_id}",
        "GET export/realm/consents",
    ),
    "Custom welcome messages": ("POST realm/test_welcome_bot_custom_message",),
    "Reports of messages": ("POST messages/{message_id}/report",),
    "Summaries of messages": ("GET messages/summary",),
    "Widgets in messages": ("POST submessage", "POST zcommand"),
    "Changes of another user's status": ("POST users/{user_id}/status",),
    "Lists of another user's channels": ("GET users/{user_id}/channels",),
    "Email addresses of channels": ("GET streams/{stream_id}/email_address",),
    "Channel folders": (
        "GET channel_folders",
        "POST channel_folders/create",
        "PATCH channel_folders",
        "PATCH channel_folders/{channel_folder_id}",
    ),
    "Groups of default channels": (
        "POST default_stream_groups/create",
        "PATCH default_stream_groups/{group_id}",
        "DELETE default_stream_groups/{group_id}",
        "PATCH default_stream_groups/{group_id}/streams",
    ),
    "Video calls": (
        "GET calls/bigbluebutton/create",
        "POST calls/zoom/create",
        "POST calls/webex/create",
        "POST calls/constructor_groups/create",
        "POST calls/nextcloud_talk/create",
    ),
    "Push notifications": (
        "POST mobile_push/register",
        "POST mobile_push/test_notification",
        "POST mobile_push/e2ee/test_notification",
    ),
    "Tutorials": ("POST users/me/onboarding_steps", "POST users/me/tutorial_status"),
}
"""What is not available → its endpoints."""


def _endpoint(what: str, name: str) -> Endpoint:
    method, path = name.split(" ")
    body = NO_BODY if method == "GET" else PICTURE if path.startswith(_WITH_PICTURES) else FORM
    return Endpoint(
        method,
        path,
        _refusing(what),
        EVERYBODY.may(NO_SCOPE),
        body,
        f"Refused: {what[0].lower()}{what[1:]} are not available.",
        is_available=False,
    )


_WITH_PICTURES = ("realm/emoji/", "realm/icon", "realm/logo", "users/me/avatar")


def _refusing(what: str) -> Handler:
    async def refuse(_call: Call) -> NoReturn:
        raise Refused(f"{what} are not available on this server.", code="NOT_AVAILABLE")

    return refuse


ENDPOINTS = tuple(_endpoint(what, name) for what, names in UNAVAILABLE.items() for name in names)
