"""The format of the state that `register` returns, as Zulip documents it. Each part is present if its type was
requested.
"""

from __future__ import annotations

from typing import Any

from keybearer.server.api.description import BOOLEAN, EMAIL, INTEGER, NUMBER, STRING, Schema, array, by_key, record
from keybearer.server.api.messaging.default_user_settings import (
    OLD_DISPLAY_SETTINGS,
    OLD_NOTIFICATION_SETTINGS,
    USER_SETTINGS,
)
from keybearer.server.api.messaging.fixed_realm_settings import REALM_SETTINGS
from keybearer.server.api.messaging.initial_state import NOTHING_OF_OURS
from keybearer.server.api.messaging.shapes import (
    BOT_FIELDS,
    CHANNEL_FIELDS,
    MUTED_TOPICS,
    MUTED_USERS,
    NOT_SUBSCRIBED,
    PRESENCES,
    STATUS,
    SUBSCRIPTION,
    USER_TOPIC_FIELDS,
)
from keybearer.server.api.profiles import PERSON
from keybearer.server.api.realms import GROUP

_TYPES: dict[type, Schema] = {bool: BOOLEAN, int: INTEGER, str: STRING, list: array({}), dict: {"type": "object"}}


def _schema_of(value: object) -> Schema:
    """The schema of a setting that is the same everywhere: the type of its value, or anything if it is null."""
    return _TYPES.get(type(value), {})


def _schemas_of(values: dict[str, Any]) -> dict[str, Schema]:
    return {name: _schema_of(value) for name, value in values.items()}


_UNREAD_OF_PERSON = record({"other_user_id": INTEGER, "sender_id": INTEGER, "unread_message_ids": array(INTEGER)})
_UNREAD = record(
    {
        "count": INTEGER,
        "pms": array(_UNREAD_OF_PERSON),
        "streams": array(record({"stream_id": INTEGER, "topic": STRING, "unread_message_ids": array(INTEGER)})),
        "huddles": array(record({"user_ids_string": STRING, "unread_message_ids": array(INTEGER)})),
        "mentions": array(INTEGER),
        "old_unreads_missing": BOOLEAN,
    }
)

STATE: dict[str, Schema] = {
    **{name: schema for part in NOTHING_OF_OURS.values() for name, schema in _schemas_of(dict(part)).items()},
    **_schemas_of(REALM_SETTINGS),
    **_schemas_of({name: USER_SETTINGS[name] for name in (*OLD_DISPLAY_SETTINGS, *OLD_NOTIFICATION_SETTINGS)}),
    **dict.fromkeys(
        ("server_emoji_data_url", "realm_name", "realm_description", "realm_url", "realm_uri", "realm_bot_domain",
         "full_name", "avatar_source", "avatar_url", "avatar_url_medium"),
        STRING,
    ),
    **dict.fromkeys(
        ("realm_date_created", "realm_can_create_bots_group", "realm_can_create_write_only_bots_group",
         "realm_can_invite_users_group", "max_message_id", "user_id", "user_role", "presence_last_update_id"),
        INTEGER,
    ),
    **dict.fromkeys(
        ("can_create_bots", "can_create_streams", "can_create_public_streams", "can_create_private_streams",
         "can_create_web_public_streams",
         "can_subscribe_other_users", "can_invite_others_to_realm", "is_admin", "is_owner", "is_moderator", "is_guest",
         "is_billing_admin", "has_zoom_token", "has_webex_token"),
        BOOLEAN,
    ),
    **dict.fromkeys(("email", "delivery_email"), EMAIL),
    **dict.fromkeys(("realm_users", "realm_non_active_users", "cross_realm_bots"), array(PERSON)),
    "realm_bots": array(record({**BOT_FIELDS, "is_active": BOOLEAN})),
    **dict.fromkeys(("subscriptions", "unsubscribed"), array(SUBSCRIPTION)),
    "never_subscribed": array(NOT_SUBSCRIBED),
    "streams": array(record(CHANNEL_FIELDS)),
    "realm_default_streams": array(INTEGER),
    "realm_user_groups": array(GROUP),
    "starred_messages": array(INTEGER),
    "unread_msgs": _UNREAD,
    "presences": PRESENCES,
    "server_timestamp": NUMBER,
    "user_status": by_key(STATUS),
    "alert_words": array(STRING),
    "user_topics": array(record(USER_TOPIC_FIELDS)),
    "muted_topics": MUTED_TOPICS,
    "muted_users": MUTED_USERS,
    "user_settings": record(_schemas_of(USER_SETTINGS)),
    "realm_user_settings_defaults": record(_schemas_of(USER_SETTINGS)),
}  # fmt: skip
"""All fields of the state, by name."""
