"""Fields and events that Zulip documents, to be set beside those that the server's description has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keybearer.server.api.messaging.event_shapes import EVENT
from keybearer.server.api.messaging.shapes import BOT_FIELDS, CHANNEL, MESSAGE, SUBSCRIPTION
from keybearer.server.api.messaging.state_shapes import STATE
from keybearer.server.api.profiles import PERSON

_MESSAGE = """avatar_url client content content_type display_recipient edit_history flags id is_me_message
last_edit_timestamp last_moved_timestamp match_content match_subject reactions recipient_id sender_email
sender_full_name sender_id sender_realm_str stream_id subject submessages timestamp topic_links type"""
_CHANNEL = """can_add_subscribers_group can_administer_channel_group can_create_topic_group
can_delete_any_message_group can_delete_own_message_group can_move_messages_out_of_channel_group
can_move_messages_within_channel_group can_remove_subscribers_group can_resolve_topics_group can_send_message_group
can_subscribe_group creator_id date_created description first_message_id folder_id history_public_to_subscribers
invite_only is_announcement_only is_archived is_default is_recently_active is_web_public message_retention_days name
rendered_description stream_id stream_post_policy stream_weekly_traffic subscriber_count topics_policy"""
_SUBSCRIPTION = """audible_notifications color desktop_notifications email_address email_notifications in_home_view
is_muted partial_subscribers pin_to_top push_notifications subscribers wildcard_mentions_notify"""
_PERSON = """avatar_url avatar_version bot_owner_id bot_type date_joined delivery_email email full_name is_active
is_admin is_bot is_guest is_imported_stub is_owner is_system_bot profile_data role timezone user_id"""
_BOT = """config_data default_all_public_streams default_events_register_stream default_sending_stream is_active
owner_id services user_id"""
_STATE = """alert_words available_notification_sounds avatar_source avatar_url avatar_url_medium
can_create_private_streams can_create_public_streams can_create_streams can_create_web_public_streams
can_invite_others_to_realm can_subscribe_other_users channel_folders cross_realm_bots custom_profile_field_types
custom_profile_fields delivery_email demo_organization_scheduled_deletion_date development_environment devices drafts
email enable_spectator_access event_queue_longpoll_timeout_seconds full_name giphy_api_key giphy_rating_options
has_webex_token has_zoom_token is_admin is_billing_admin is_guest is_moderator is_owner jitsi_server_url
max_avatar_file_size_mib max_channel_folder_description_length max_channel_folder_name_length max_file_upload_size_mib
max_icon_file_size_mib max_logo_file_size_mib max_message_id max_message_length max_reminder_note_length
max_stream_description_length max_stream_name_length max_topic_length muted_topics muted_users navigation_views
never_subscribed onboarding_steps password_max_length password_min_guesses password_min_length presence_last_update_id
presences push_devices realm_allow_message_editing realm_authentication_methods realm_available_video_chat_providers
realm_avatar_changes_disabled realm_billing realm_bot_domain realm_bots realm_can_invite_users_group
realm_create_multiuse_invite_group realm_date_created realm_default_avatar_source realm_default_code_block_language
realm_default_external_accounts realm_default_language realm_default_stream_groups realm_default_streams
realm_description realm_digest_emails_enabled realm_digest_weekday realm_disallow_disposable_email_addresses
realm_domains realm_email_auth_enabled realm_email_changes_disabled realm_embedded_bots realm_emoji
realm_emails_restricted_to_domains realm_enable_guest_user_dm_warning realm_enable_guest_user_indicator
realm_enable_read_receipts realm_enable_spectator_access realm_filters realm_icon_source realm_icon_url
realm_incoming_webhook_bots realm_inline_image_preview realm_inline_url_embed_preview realm_invite_required
realm_linkifiers realm_logo_source realm_logo_url realm_mandatory_topics realm_media_preview_size
realm_message_content_allowed_in_email_notifications realm_message_content_delete_limit_seconds
realm_message_content_edit_limit_seconds realm_message_edit_history_visibility_policy realm_message_retention_days
realm_moderation_request_channel_id realm_name realm_name_changes_disabled realm_new_stream_announcements_stream_id
realm_night_logo_source realm_night_logo_url realm_non_active_users realm_org_type realm_owner_full_content_access
realm_password_auth_enabled realm_plan_type realm_playgrounds realm_presence_disabled realm_push_notifications_enabled
realm_require_e2ee_push_notifications realm_require_unique_names realm_send_channel_events_messages
realm_send_welcome_emails realm_signup_announcements_stream_id realm_topics_policy realm_upload_quota_mib realm_uri
realm_url realm_user_groups realm_user_settings_defaults realm_users realm_video_chat_provider
realm_waiting_period_threshold realm_want_advertise_in_communities_directory realm_web_public_access_enabled
realm_welcome_message_custom_text realm_zulip_update_announcements_stream_id recent_private_conversations reminders
saved_snippets scheduled_messages server_avatar_changes_disabled server_can_summarize_topics server_emoji_data_url
server_generation server_inline_image_preview server_inline_url_embed_preview server_jitsi_server_url
server_max_deactivated_realm_deletion_days server_min_deactivated_realm_deletion_days server_name_changes_disabled
server_needs_upgrade server_presence_offline_threshold_seconds server_presence_ping_interval_seconds
server_report_message_types server_supported_permission_settings server_thumbnail_formats server_timestamp
server_typing_started_expiry_period_milliseconds server_typing_started_wait_period_milliseconds
server_typing_stopped_wait_period_milliseconds server_web_public_streams_enabled settings_send_digest_emails
starred_messages stop_words stream_weekly_traffic_last_updated streams subscriptions tenor_api_key unread_msgs
unsubscribed upgrade_text_for_wide_organization_logo user_id user_settings user_status user_topics
zulip_plan_is_not_limited"""
_SETTINGS = """color_scheme default_language demote_inactive_streams dense_mode desktop_icon_count_display
email_notifications_batching_period_seconds emojiset emojiset_choices
enable_desktop_notifications enable_digest_emails enable_drafts_synchronization enable_login_emails
enable_marketing_emails enable_offline_email_notifications enable_offline_push_notifications
enable_online_push_notifications enable_sounds enable_stream_audible_notifications
enable_stream_desktop_notifications enable_stream_email_notifications enable_stream_push_notifications enter_sends
fluid_layout_width high_contrast_mode left_side_userlist message_content_in_email_notifications notification_sound
pm_content_in_desktop_notifications presence_enabled realm_name_in_email_notifications_policy starred_message_counts
timezone translate_emoticons twenty_four_hour_time web_home_view wildcard_mentions_notify"""
_EVENTS = """alert_words attachment channel_folder custom_profile_fields default_stream_groups default_streams
delete_message device drafts has_zoom_token heartbeat invites_changed message muted_topics muted_users navigation_view
onboarding_steps presence push_device reaction realm realm_bot realm_domains realm_emoji realm_export
realm_export_consent realm_filters realm_linkifiers realm_playgrounds realm_user realm_user_settings_defaults
reminders restart saved_snippets scheduled_messages stream submessage subscription typing typing_edit_message
update_display_settings update_global_notifications update_message update_message_flags user_group user_settings
user_status user_topic web_reload_client"""


def never_sent() -> Iterator[tuple[str, list[str]]]:
    """What of Zulip's documented fields the server never sends, by where they are."""
    described: tuple[tuple[str, str, set[str]], ...] = (
        ("a message", _MESSAGE, _names(MESSAGE)),
        ("a channel", _CHANNEL, _names(CHANNEL)),
        ("a subscription", _SUBSCRIPTION, _names(SUBSCRIPTION)),
        ("an account", _PERSON, _names(PERSON)),
        ("a bot in `realm_bots`", _BOT, {*BOT_FIELDS, "is_active"}),
        ("the state that `register` answers", f"{_STATE} {_SETTINGS}", set(STATE)),
        ("types of events", _EVENTS, {each["properties"]["type"]["const"] for each in EVENT["anyOf"]}),
    )
    for where, documented, sent in described:
        missing = sorted(set(documented.split()) - sent)
        if missing:
            yield where, missing


def _names(schema: Mapping[str, Any]) -> set[str]:
    return {name for each in schema.get("anyOf", [schema]) for name in each["properties"]}
