"""The format of messages, channels and what belongs to them in answers and events, as Zulip documents it.

Each schema names every field that is sent, and which fields are always present.
"""

from __future__ import annotations

from typing import Any

from keybearer.server.api.description import (
    BOOLEAN,
    EMAIL,
    INTEGER,
    NUMBER,
    STRING,
    Schema,
    array,
    by_key,
    constant,
    nullable,
    one_of,
    record,
)

_Fields = dict[str, Any]

_REACTION_FIELDS: _Fields = {
    "emoji_name": STRING,
    "emoji_code": STRING,
    "reaction_type": one_of(constant("unicode_emoji"), constant("zulip_extra_emoji")),
    "user_id": INTEGER,
    "user": record({"id": INTEGER, "user_id": INTEGER, "email": EMAIL, "full_name": STRING}),
}
REACTION = record(_REACTION_FIELDS)

_EDIT = record(
    {
        "user_id": INTEGER,
        "timestamp": INTEGER,
        "prev_content": STRING,
        "prev_rendered_content": STRING,
        "topic": STRING,
        "prev_topic": STRING,
        "stream": INTEGER,
        "prev_stream": INTEGER,
    },
    optional={"prev_content", "prev_rendered_content", "topic", "prev_topic", "stream", "prev_stream"},
)
_PERSON = record({"id": INTEGER, "email": EMAIL, "full_name": STRING, "is_mirror_dummy": BOOLEAN})
_MESSAGE_FIELDS: _Fields = {
    "id": INTEGER,
    "sender_id": INTEGER,
    "sender_full_name": STRING,
    "sender_email": EMAIL,
    "sender_realm_str": STRING,
    "recipient_id": INTEGER,
    "content": STRING,
    "content_type": one_of(constant("text/html"), constant("text/x-markdown")),
    "timestamp": INTEGER,
    "client": STRING,
    "subject": STRING,
    "topic_links": array(record({"text": STRING, "url": STRING})),
    "is_me_message": BOOLEAN,
    "reactions": array(REACTION),
    "submessages": array(record({})),
    "avatar_url": STRING,
    "last_edit_timestamp": INTEGER,
    "last_moved_timestamp": INTEGER,
    "edit_history": array(_EDIT),
    "match_content": STRING,
    "match_subject": STRING,
}
_MESSAGE_OPTIONAL = {"last_edit_timestamp", "last_moved_timestamp", "edit_history", "match_content", "match_subject"}


def _message(fields: _Fields) -> Schema:
    """A message in a channel, with the channel's id and name, or a message to people, with the people."""
    in_channel = {"type": constant("stream"), "display_recipient": STRING, "stream_id": INTEGER}
    to_people = {"type": constant("private"), "display_recipient": array(_PERSON)}
    return one_of(
        record({**fields, **in_channel}, optional=_MESSAGE_OPTIONAL),
        record({**fields, **to_people}, optional=_MESSAGE_OPTIONAL),
    )


FLAGS = array(STRING)
MESSAGE = _message({**_MESSAGE_FIELDS, "flags": FLAGS})
EVENT_MESSAGE = _message(_MESSAGE_FIELDS)
"""A message in an event, which has the flags next to it."""

VERSION = record(
    {
        "topic": STRING,
        "content": STRING,
        "rendered_content": STRING,
        "user_id": INTEGER,
        "timestamp": INTEGER,
        "prev_content": STRING,
        "prev_rendered_content": STRING,
        "content_html_diff": STRING,
        "prev_topic": STRING,
        "stream": INTEGER,
        "prev_stream": INTEGER,
    },
    optional={
        "prev_content", "prev_rendered_content", "content_html_diff", "prev_topic", "stream", "prev_stream",
    },
)  # fmt: skip
"""One version of a message in its history."""

MATCHES = by_key(record({"match_content": STRING, "match_subject": STRING}))

CHANNEL_FIELDS: _Fields = {
    "stream_id": INTEGER,
    "name": STRING,
    "description": STRING,
    "rendered_description": STRING,
    "date_created": INTEGER,
    "creator_id": nullable(INTEGER),
    "invite_only": BOOLEAN,
    "is_web_public": BOOLEAN,
    "is_archived": BOOLEAN,
    "is_recently_active": BOOLEAN,
    "history_public_to_subscribers": BOOLEAN,
    "message_retention_days": nullable(INTEGER),
    "first_message_id": nullable(INTEGER),
    "stream_post_policy": INTEGER,
    "is_announcement_only": BOOLEAN,
    "folder_id": nullable(INTEGER),
    "topics_policy": STRING,
    "stream_weekly_traffic": nullable(INTEGER),
    "subscriber_count": INTEGER,
    **dict.fromkeys(
        (
            "can_add_subscribers_group", "can_administer_channel_group", "can_create_topic_group",
            "can_delete_any_message_group", "can_delete_own_message_group", "can_move_messages_out_of_channel_group",
            "can_move_messages_within_channel_group", "can_remove_subscribers_group", "can_resolve_topics_group",
            "can_send_message_group", "can_subscribe_group",
        ),
        INTEGER,
    ),
}  # fmt: skip
CHANNEL = record({**CHANNEL_FIELDS, "is_default": BOOLEAN}, optional={"is_default"})

_CHOSEN: _Fields = {
    "color": STRING,
    "is_muted": BOOLEAN,
    "in_home_view": BOOLEAN,
    "pin_to_top": BOOLEAN,
    "desktop_notifications": nullable(BOOLEAN),
    "audible_notifications": nullable(BOOLEAN),
    "push_notifications": nullable(BOOLEAN),
    "email_notifications": nullable(BOOLEAN),
    "wildcard_mentions_notify": nullable(BOOLEAN),
    "email_address": STRING,
}
SUBSCRIPTION = record({**CHANNEL_FIELDS, **_CHOSEN, "subscribers": array(INTEGER)}, optional={"subscribers"})
NOT_SUBSCRIBED = record({**CHANNEL_FIELDS, "subscribers": array(INTEGER)}, optional={"subscribers"})

_OLD_ROW: _Fields = {"client": constant("website"), "status": STRING, "timestamp": INTEGER}
_WEBSITE = record({**_OLD_ROW, "pushable": BOOLEAN})
_TIMES = record({"idle_timestamp": INTEGER, "active_timestamp": INTEGER}, optional={"active_timestamp"})
PRESENCES = one_of(by_key(_TIMES), by_key(record({"aggregated": record(_OLD_ROW), "website": _WEBSITE})))
"""By id in the modern form, by email address in the old form."""

_ONE_ROW = record({"status": STRING, "timestamp": INTEGER})
ONE_PRESENCE = record({"aggregated": _ONE_ROW, "website": _ONE_ROW})
_STATUS_FIELDS: _Fields = {
    "status_text": STRING,
    "emoji_name": STRING,
    "emoji_code": STRING,
    "reaction_type": STRING,
    "away": BOOLEAN,
}
STATUS = record(_STATUS_FIELDS, optional=set(_STATUS_FIELDS))

SERVICE = record({"base_url": STRING, "interface": INTEGER, "token": STRING})
BOT_FIELDS: _Fields = {
    "user_id": INTEGER,
    "email": EMAIL,
    "full_name": STRING,
    "bot_type": INTEGER,
    "avatar_url": STRING,
    "default_sending_stream": nullable(STRING),
    "default_events_register_stream": nullable(STRING),
    "default_all_public_streams": BOOLEAN,
    "services": array(SERVICE),
    "owner_id": nullable(INTEGER),
}
UNREAD_DETAILS = by_key(
    one_of(
        record(
            {
                "type": constant("stream"),
                "stream_id": INTEGER,
                "topic": STRING,
                "unmuted_stream_msg": BOOLEAN,
                "mentioned": BOOLEAN,
            },
            optional={"mentioned"},
        ),
        record({"type": constant("private"), "user_ids": array(INTEGER), "mentioned": BOOLEAN}, optional={"mentioned"}),
    )
)
REACTION_EVENT_FIELDS: _Fields = {"message_id": INTEGER, **_REACTION_FIELDS}
TIMES = by_key(_TIMES)
WEBSITE_PRESENCE = record({"website": _WEBSITE})
STATUS_EVENT_FIELDS: _Fields = {"user_id": INTEGER, **_STATUS_FIELDS}
TYPIST = record({"user_id": INTEGER, "email": EMAIL})
SECONDS = NUMBER

ATTACHMENT = record(
    {
        "id": INTEGER,
        "name": STRING,
        "path_id": STRING,
        "size": INTEGER,
        "create_time": INTEGER,
        "messages": array(record({"id": INTEGER, "date_sent": INTEGER})),
    }
)
USER_TOPIC_FIELDS: _Fields = {
    "stream_id": INTEGER,
    "topic_name": STRING,
    "last_updated": INTEGER,
    "visibility_policy": INTEGER,
}
MUTED_TOPICS = array(array(one_of(STRING, INTEGER)))
"""For each topic a list of three: the name of its channel, its own name, and since when."""

MUTED_USERS = array(record({"id": INTEGER, "timestamp": INTEGER}))
