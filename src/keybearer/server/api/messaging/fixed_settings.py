"""What Zulip's clients ask about an organization and a person's settings, and what is the same in all organizations
here.
"""

from __future__ import annotations

import time

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import array
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.event_queues import LONG_POLL_TIMEOUT
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.channels import DESCRIPTION_MAX_LENGTH, NAME_MAX_LENGTH
from keybearer.server.domain.messaging.messages import CONTENT_MAX_LENGTH, EDITABLE_FOR, NO_TOPIC, TOPIC_MAX_LENGTH
from keybearer.server.domain.messaging.presences import OFFLINE_AFTER, PING_EVERY
from keybearer.server.domain.messaging.uploads import MAX_SIZE_MIB
from keybearer.server.domain.realms import SystemGroup
from keybearer.server.domain.rules import EVERYBODY

_STARTED = int(time.time())
"""When this worker started, in seconds since 1970 UTC. If it changes, clients load everything again."""

_JITSI = "https://meet.jit.si"
"""Zulip's default. Clients make links to it; this server calls nobody."""

_EDIT_SECONDS = int(EDITABLE_FOR.total_seconds())

REALM_SETTINGS: dict[str, object] = {
    "max_stream_name_length": NAME_MAX_LENGTH,
    "max_channel_name_length": NAME_MAX_LENGTH,
    "max_stream_description_length": DESCRIPTION_MAX_LENGTH,
    "max_topic_length": TOPIC_MAX_LENGTH,
    "max_message_length": CONTENT_MAX_LENGTH,
    "max_file_upload_size_mib": MAX_SIZE_MIB,
    "max_avatar_file_size_mib": 0,
    "max_icon_file_size_mib": 0,
    "max_logo_file_size_mib": 0,
    "event_queue_longpoll_timeout_seconds": LONG_POLL_TIMEOUT,
    "server_presence_ping_interval_seconds": int(PING_EVERY.total_seconds()),
    "server_presence_offline_threshold_seconds": int(OFFLINE_AFTER.total_seconds()),
    "server_typing_started_expiry_period_milliseconds": 45_000,
    "server_typing_stopped_wait_period_milliseconds": 12_000,
    "server_typing_started_wait_period_milliseconds": 30_000,
    "server_timestamp_format": "seconds",
    "server_generation": _STARTED,
    "server_needs_upgrade": False,
    "server_web_public_streams_enabled": False,
    "server_inline_image_preview": False,
    "server_inline_url_embed_preview": False,
    "server_avatar_changes_disabled": True,
    "server_name_changes_disabled": False,
    "server_supported_permission_settings": {},
    "server_jitsi_server_url": _JITSI,
    "realm_jitsi_server_url": None,
    "realm_default_external_accounts": {},
    "server_max_deactivated_realm_deletion_days": None,
    "development_environment": False,
    "password_min_length": 8,
    "password_max_length": 128,
    "zulip_plan_is_not_limited": True,
    "upgrade_text_for_wide_organization_logo": "",
    "giphy_api_key": "",
    "jitsi_server_url": _JITSI,
    "realm_icon_url": "/static/icon.svg",
    "realm_icon_source": "G",
    "realm_logo_url": "",
    "realm_logo_source": "D",
    "realm_night_logo_url": "",
    "realm_night_logo_source": "D",
    "realm_plan_type": 1,
    "realm_org_type": 0,
    "realm_is_zephyr_mirror_realm": False,
    "realm_default_language": "en",
    "realm_default_code_block_language": "",
    "realm_allow_message_editing": True,
    "realm_message_content_edit_limit_seconds": _EDIT_SECONDS,
    "realm_message_content_delete_limit_seconds": _EDIT_SECONDS,
    "realm_move_messages_within_stream_limit_seconds": None,
    "realm_move_messages_between_streams_limit_seconds": None,
    "realm_allow_edit_history": True,
    "realm_message_edit_history_visibility_policy": "all",
    "realm_message_retention_days": -1,
    "realm_mandatory_topics": False,
    "realm_topics_policy": "allow_empty_topic",
    "realm_empty_topic_display_name": NO_TOPIC,
    "realm_email_auth_enabled": True,
    "realm_password_auth_enabled": True,
    "realm_invite_required": True,
    "realm_emails_restricted_to_domains": False,
    "realm_disallow_disposable_email_addresses": False,
    "realm_enable_spectator_access": False,
    "realm_web_public_access_enabled": False,
    "realm_enable_read_receipts": True,
    "realm_presence_disabled": False,
    "realm_push_notifications_enabled": False,
    "realm_push_notifications_enabled_end_timestamp": None,
    "realm_digest_emails_enabled": False,
    "realm_send_welcome_emails": False,
    "realm_message_content_allowed_in_email_notifications": True,
    "realm_inline_image_preview": False,
    "realm_inline_url_embed_preview": False,
    "realm_name_changes_disabled": False,
    "realm_email_changes_disabled": False,
    "realm_avatar_changes_disabled": True,
    "realm_waiting_period_threshold": 0,
    "realm_wildcard_mention_policy": 1,
    "realm_private_message_policy": 1,
    "realm_video_chat_provider": 0,
    "realm_giphy_rating": 0,
    "realm_upload_quota_mib": None,
    "realm_available_video_chat_providers": {},
    "realm_user_group_edit_policy": 2,
    "realm_new_stream_announcements_stream_id": -1,
    "realm_signup_announcements_stream_id": -1,
    "realm_zulip_update_announcements_stream_id": -1,
    "realm_moderation_request_channel_id": -1,
    "realm_notifications_stream_id": -1,
    "realm_signup_notifications_stream_id": -1,
    "realm_want_advertise_in_communities_directory": False,
    "realm_authentication_methods": {"Email": {"enabled": True, "available": True}},
    "realm_direct_message_initiator_group": SystemGroup.EVERYONE.value,
    "realm_direct_message_permission_group": SystemGroup.EVERYONE.value,
    "realm_can_access_all_users_group": SystemGroup.EVERYONE.value,
    "realm_can_add_custom_emoji_group": SystemGroup.NOBODY.value,
    "realm_can_add_subscribers_group": SystemGroup.MEMBERS.value,
    "realm_can_create_groups": SystemGroup.NOBODY.value,
    "realm_can_create_private_channel_group": SystemGroup.MEMBERS.value,
    "realm_can_create_public_channel_group": SystemGroup.MEMBERS.value,
    "realm_can_create_web_public_channel_group": SystemGroup.NOBODY.value,
    "realm_can_delete_any_message_group": SystemGroup.ADMINISTRATORS.value,
    "realm_can_delete_own_message_group": SystemGroup.EVERYONE.value,
    "realm_can_manage_all_groups": SystemGroup.NOBODY.value,
    "realm_can_manage_billing_group": SystemGroup.NOBODY.value,
    "realm_can_mention_many_users_group": SystemGroup.EVERYONE.value,
    "realm_can_move_messages_between_channels_group": SystemGroup.ADMINISTRATORS.value,
    "realm_can_move_messages_between_topics_group": SystemGroup.MEMBERS.value,
    "realm_can_resolve_topics_group": SystemGroup.MEMBERS.value,
    "realm_can_set_topics_policy_group": SystemGroup.NOBODY.value,
    "realm_can_summarize_topics_group": SystemGroup.NOBODY.value,
    "realm_create_multiuse_invite_group": SystemGroup.ADMINISTRATORS.value,
    "server_min_deactivated_realm_deletion_days": None,
    "server_can_summarize_topics": False,
    "server_report_message_types": [],
    "server_thumbnail_formats": [],
    "password_min_guesses": 10000,
    "max_reminder_note_length": 1000,
    "max_channel_folder_name_length": 60,
    "max_channel_folder_description_length": 1024,
    "giphy_rating_options": {},
    "gif_rating_policy_options": {},
    "tenor_api_key": "",
    "insecure_desktop_app": False,
    "settings_send_digest_emails": False,
    "realm_embedded_bots": [],
    "realm_incoming_webhook_bots": [],
    "realm_digest_weekday": 1,
    "realm_enable_guest_user_indicator": True,
    "realm_enable_guest_user_dm_warning": False,
    "realm_send_channel_events_messages": False,
    "realm_welcome_message_custom_text": "",
    "realm_require_unique_names": False,
    "realm_require_e2ee_push_notifications": False,
    "realm_media_preview_size": 100,
    "realm_owner_full_content_access": False,
    "realm_workplace_users_group": SystemGroup.NOBODY.value,
    "realm_can_set_delete_message_policy_group": SystemGroup.NOBODY.value,
    "realm_gif_rating_policy": 0,
    "realm_scheduled_deletion_date": None,
}
"""Settings of an organization that have a fixed value here, by their names in `register`."""

USER_SETTINGS: dict[str, object] = {
    "twenty_four_hour_time": True,
    "default_language": "en",
    "timezone": "",
    "emojiset": "google",
    "color_scheme": 1,
    "demote_inactive_streams": 1,
    "display_emoji_reaction_users": True,
    "dense_mode": True,
    "email_address_visibility": 1,
    "enable_desktop_notifications": True,
    "enable_digest_emails": False,
    "enable_drafts_synchronization": False,
    "enable_followed_topic_audible_notifications": True,
    "enable_followed_topic_desktop_notifications": True,
    "enable_followed_topic_email_notifications": False,
    "enable_followed_topic_push_notifications": False,
    "enable_followed_topic_wildcard_mentions_notify": True,
    "enable_login_emails": True,
    "enable_marketing_emails": False,
    "enable_offline_email_notifications": False,
    "enable_offline_push_notifications": False,
    "enable_online_push_notifications": False,
    "enable_sounds": True,
    "enable_stream_audible_notifications": False,
    "enable_stream_desktop_notifications": False,
    "enable_stream_email_notifications": False,
    "enable_stream_push_notifications": False,
    "enter_sends": False,
    "fluid_layout_width": False,
    "high_contrast_mode": False,
    "left_side_userlist": False,
    "message_content_in_email_notifications": True,
    "notification_sound": "zulip",
    "pm_content_in_desktop_notifications": True,
    "presence_enabled": True,
    "send_private_typing_notifications": True,
    "send_read_receipts": True,
    "send_stream_typing_notifications": True,
    "starred_message_counts": True,
    "translate_emoticons": False,
    "user_list_style": 2,
    "web_escape_navigates_to_home_view": True,
    "web_font_size_px": 14,
    "web_home_view": "inbox",
    "web_line_height_percent": 122,
    "web_mark_read_on_scroll_policy": 1,
    "web_stream_unreads_count_display_policy": 2,
    "wildcard_mentions_notify": True,
    "allow_private_data_export": False,
    "automatically_follow_topics_policy": 1,
    "automatically_unmute_topics_in_muted_streams_policy": 2,
    "automatically_follow_topics_where_mentioned": True,
    "desktop_icon_count_display": 1,
    "email_notifications_batching_period_seconds": 120,
    "hide_ai_features": False,
    "realm_name_in_email_notifications_policy": 1,
    "receives_typing_notifications": True,
    "resolved_topic_notice_auto_read_policy": "except_followed",
    "web_animate_image_previews": "on_hover",
    "web_channel_default_view": 1,
    "web_inbox_show_channel_folders": True,
    "web_left_sidebar_show_channel_folders": True,
    "web_left_sidebar_unreads_count_summary": True,
    "web_navigate_to_sent_message": True,
    "web_suggest_update_timezone": True,
    "available_notification_sounds": ["zulip"],
    "emojiset_choices": [{"key": "google", "text": "Google"}],
}
"""The settings of every person that only tell clients what to do by themselves."""


OLD_DISPLAY_SETTINGS = (
    "color_scheme",
    "default_language",
    "demote_inactive_streams",
    "dense_mode",
    "emojiset",
    "emojiset_choices",
    "enable_drafts_synchronization",
    "enter_sends",
    "fluid_layout_width",
    "high_contrast_mode",
    "left_side_userlist",
    "starred_message_counts",
    "timezone",
    "translate_emoticons",
    "twenty_four_hour_time",
    "web_home_view",
)
OLD_NOTIFICATION_SETTINGS = (
    "available_notification_sounds",
    "desktop_icon_count_display",
    "email_notifications_batching_period_seconds",
    "enable_desktop_notifications",
    "enable_digest_emails",
    "enable_login_emails",
    "enable_marketing_emails",
    "enable_offline_email_notifications",
    "enable_offline_push_notifications",
    "enable_online_push_notifications",
    "enable_sounds",
    "enable_stream_audible_notifications",
    "enable_stream_desktop_notifications",
    "enable_stream_email_notifications",
    "enable_stream_push_notifications",
    "message_content_in_email_notifications",
    "notification_sound",
    "pm_content_in_desktop_notifications",
    "presence_enabled",
    "realm_name_in_email_notifications_policy",
    "wildcard_mentions_notify",
)
"""The settings that clients without the capability `user_settings_object` find next to the others (before feature level
89 they had no other place).
"""


async def get_linkifiers(_call: Call) -> Answer:
    """`GET realm/linkifiers`."""
    return success(linkifiers=[])


async def get_filters(_call: Call) -> Answer:
    """`GET realm/filters`: the linkifiers in their old form."""
    return success(filters=[])


async def get_profile_fields(_call: Call) -> Answer:
    """`GET realm/profile_fields`."""
    return success(custom_fields=[])


ENDPOINTS = (
    Endpoint.get(
        "realm/linkifiers",
        get_linkifiers,
        EVERYBODY.may(Scope.READ),
        "Organizations here have none.",
        gives={"linkifiers": array({})},
    ),
    Endpoint.get(
        "realm/filters",
        get_filters,
        EVERYBODY.may(Scope.READ),
        "The linkifiers in their old form.",
        gives={"filters": array({})},
    ),
    Endpoint.get(
        "realm/profile_fields",
        get_profile_fields,
        EVERYBODY.may(Scope.READ),
        "Organizations here have none of their own.",
        gives={"custom_fields": array({})},
    ),
)
