"""The format of events, as Zulip documents it: one schema for each type and each operation."""

from __future__ import annotations

from typing import Any

from keybearer.server.api.description import (
    BOOLEAN,
    EMAIL,
    INTEGER,
    STRING,
    Schema,
    array,
    constant,
    nullable,
    one_of,
    record,
)
from keybearer.server.api.messaging.shapes import (
    ATTACHMENT,
    BOT_FIELDS,
    CHANNEL_FIELDS,
    EVENT_MESSAGE,
    FLAGS,
    MUTED_TOPICS,
    MUTED_USERS,
    REACTION_EVENT_FIELDS,
    SECONDS,
    STATUS_EVENT_FIELDS,
    SUBSCRIPTION,
    TIMES,
    TYPIST,
    UNREAD_DETAILS,
    USER_TOPIC_FIELDS,
    WEBSITE_PRESENCE,
)
from keybearer.server.api.profiles import PERSON
from keybearer.server.domain.realm_events import GROUP_SETTINGS

_Fields = dict[str, Any]


def _event(type_: str, fields: _Fields, *, op: str | None = None, optional: set[str] | None = None) -> Schema:
    named = {"id": INTEGER, "type": constant(type_)} | ({} if op is None else {"op": constant(op)})
    return record({**named, **fields}, optional=optional or set())


_UPDATED: _Fields = {
    "user_id": INTEGER,
    "rendering_only": BOOLEAN,
    "message_id": INTEGER,
    "message_ids": array(INTEGER),
    "edit_timestamp": INTEGER,
    "flags": FLAGS,
}
_PLACE: _Fields = {"stream_id": INTEGER, "stream_name": STRING}
_EDITED: _Fields = {
    **_UPDATED,
    **_PLACE,
    "orig_content": STRING,
    "orig_rendered_content": STRING,
    "content": STRING,
    "rendered_content": STRING,
    "is_me_message": BOOLEAN,
    "prev_rendered_content_version": INTEGER,
}
_MOVED: _Fields = {
    **_UPDATED,
    **_PLACE,
    "propagate_mode": STRING,
    "orig_subject": STRING,
    "subject": STRING,
    "topic_links": array(record({"text": STRING, "url": STRING})),
    "new_stream_id": INTEGER,
}
_FLAGGED: _Fields = {"operation": STRING, "flag": STRING, "messages": array(INTEGER), "all": BOOLEAN}
_GONE: _Fields = {"message_ids": array(INTEGER), "message_id": INTEGER}
_TYPING_TO_PEOPLE: _Fields = {"message_type": constant("direct"), "sender": TYPIST, "recipients": array(TYPIST)}
_TYPING_IN_CHANNEL: _Fields = {
    "message_type": constant("stream"),
    "sender": TYPIST,
    "stream_id": INTEGER,
    "topic": STRING,
}
_TYPING_IN_MESSAGE: _Fields = {
    "sender_id": INTEGER,
    "message_id": INTEGER,
    "recipient": one_of(
        record({"type": constant("channel"), "channel_id": INTEGER, "topic": STRING}),
        record({"type": constant("direct"), "user_ids": array(INTEGER)}),
    ),
}
_CHANNEL_UPDATE: _Fields = {
    "stream_id": INTEGER,
    "name": STRING,
    "property": STRING,
    "value": {},
    "rendered_description": STRING,
    "history_public_to_subscribers": BOOLEAN,
    "is_web_public": BOOLEAN,
}
_PEERS: _Fields = {"stream_ids": array(INTEGER), "user_ids": array(INTEGER)}
_OLD_PRESENCE: _Fields = {
    "user_id": INTEGER,
    "email": EMAIL,
    "server_timestamp": SECONDS,
    "presence": WEBSITE_PRESENCE,
}
_CHANGED_PERSON: _Fields = {
    "user_id": INTEGER,
    "full_name": STRING,
    "role": INTEGER,
    "new_email": EMAIL,
    "is_active": BOOLEAN,
    "bot_owner_id": nullable(INTEGER),
    "email": EMAIL,
    "timezone": STRING,
}
_CHANGED_BOT: _Fields = {
    "user_id": INTEGER,
    "full_name": STRING,
    "role": INTEGER,
    "new_email": EMAIL,
    "is_active": BOOLEAN,
    "owner_id": nullable(INTEGER),
    "services": BOT_FIELDS["services"],
}
_SPACE_USED: _Fields = {"upload_space_used": INTEGER}
_CHANGED_REALM = record(dict.fromkeys(GROUP_SETTINGS.values(), INTEGER), optional=set(GROUP_SETTINGS.values()))

EVENT = one_of(
    _event("heartbeat", {}),
    _event("message", {"message": EVENT_MESSAGE, "flags": FLAGS, "local_message_id": STRING},
           optional={"local_message_id"}),
    _event("update_message", _EDITED, optional=set(_PLACE)),
    _event("update_message", _MOVED, optional={"subject", "topic_links", "new_stream_id"}),
    *(_event("delete_message", _GONE | place, optional=optional)
      for place in ({"message_type": constant("private")},
                    {"message_type": constant("stream"), "stream_id": INTEGER, "topic": STRING})
      for optional in ({"message_id"}, {"message_ids"})),
    _event("update_message_flags", _FLAGGED, op="add"),
    _event("update_message_flags", {**_FLAGGED, "message_details": UNREAD_DETAILS}, op="remove",
           optional={"message_details"}),
    *(_event("reaction", REACTION_EVENT_FIELDS, op=op) for op in ("add", "remove")),
    *(_event("typing", _TYPING_TO_PEOPLE, op=op) for op in ("start", "stop")),
    *(_event("typing", _TYPING_IN_CHANNEL, op=op) for op in ("start", "stop")),
    *(_event("typing_edit_message", _TYPING_IN_MESSAGE, op=op) for op in ("start", "stop")),
    _event("presence", _OLD_PRESENCE, optional={"email"}),
    _event("presence", {"presences": TIMES}),
    _event("user_status", STATUS_EVENT_FIELDS),
    _event("stream", {"streams": array(record(CHANNEL_FIELDS))}, op="create"),
    _event("stream", {"streams": array(record(CHANNEL_FIELDS)), "stream_ids": array(INTEGER)}, op="delete"),
    _event("stream", _CHANNEL_UPDATE, op="update",
           optional={"rendered_description", "history_public_to_subscribers", "is_web_public"}),
    _event("default_streams", {"default_streams": array(INTEGER)}),
    _event("subscription", {"subscriptions": array(SUBSCRIPTION)}, op="add"),
    _event("subscription", {"subscriptions": array(record({"stream_id": INTEGER, "name": STRING}))}, op="remove"),
    *(_event("subscription", _PEERS, op=op) for op in ("peer_add", "peer_remove")),
    _event("subscription", {"stream_id": INTEGER, "property": STRING, "value": {}}, op="update"),
    _event("realm_user", {"person": PERSON}, op="add"),
    _event("realm_user", {"person": record(_CHANGED_PERSON, optional=set(_CHANGED_PERSON) - {"user_id"})}, op="update"),
    _event("user_settings", {"property": STRING, "value": {}}, op="update"),
    _event("alert_words", {"alert_words": array(STRING)}),
    _event("user_topic", USER_TOPIC_FIELDS),
    _event("muted_topics", {"muted_topics": MUTED_TOPICS}),
    _event("muted_users", {"muted_users": MUTED_USERS}),
    *(_event("attachment", {"attachment": ATTACHMENT, **_SPACE_USED}, op=op) for op in ("add", "update")),
    _event("attachment", {"attachment": record({"id": INTEGER}), **_SPACE_USED}, op="remove"),
    _event("realm", {"property": STRING, "value": STRING}, op="update"),
    _event("realm", {"property": constant("default"), "data": _CHANGED_REALM}, op="update_dict"),
    _event("realm_bot", {"bot": record(BOT_FIELDS)}, op="add"),
    _event("realm_bot", {"bot": record(_CHANGED_BOT, optional=set(_CHANGED_BOT) - {"user_id"})}, op="update"),
)  # fmt: skip
"""Every event that a queue can contain."""
