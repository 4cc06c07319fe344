"""`messages`: read, change and delete them. They are sent in `sending`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import (
    BOOLEAN,
    INTEGER,
    STRING,
    array,
    boolean,
    encoded,
    fixed,
    integer,
    nullable,
    record,
    text,
)
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.narrows import MESSAGE_IDS, NARROW, read_message_ids, read_narrow
from keybearer.server.api.messaging.sending import SUBJECT, TOPIC, read_topic
from keybearer.server.api.messaging.shapes import MATCHES, MESSAGE, VERSION
from keybearer.server.api.parameters import Parameters, missing
from keybearer.server.api.pieces import with_people_encoded
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.message_events import copy_fields
from keybearer.server.domain.messaging.messages import NO_TOPIC, Copy, Message
from keybearer.server.domain.messaging.text_differences import Marker
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import message_changes, messages
from keybearer.server.services.messaging.message_changes import MessageChange
from keybearer.server.services.messaging.messages import BEYOND_ALL, Query


async def get(call: Call) -> Answer:
    """`GET messages`."""
    parameters = call.parameters
    as_html = parameters.optional_boolean("apply_markdown") is not False
    parameters.optional_boolean("client_gravatar")
    empty_topics = bool(parameters.optional_boolean("allow_empty_topic_name"))
    ids = read_message_ids(parameters, "message_ids")
    if ids is not None and any(parameters.has(name) for name in _RANGE):
        raise Refused(f"Unsupported parameter combination: message_ids, {', '.join(_RANGE)}")
    query = read_query(parameters) if ids is None else Query(narrow=read_narrow(parameters), message_ids=tuple(ids))
    found = await messages.find(call.context, call.caller, query)
    is_search = any(term.operator == "search" for term in query.narrow)

    def row(copy: Copy) -> Mapping[str, object]:
        fields = copy_fields(copy, found.directory, as_html=as_html, empty_topics=empty_topics)
        if is_search:
            fields |= {"match_content": copy.message.rendered, "match_subject": fields["subject"]}
        return with_people_encoded(fields)

    rows = await paced(row, found.copies)
    return success(
        messages=rows,
        anchor=None if ids is not None else found.anchor,
        found_anchor=found.found_anchor,
        found_oldest=found.found_oldest,
        found_newest=found.found_newest,
        history_limited=False,
    )


_RANGE = ("anchor", "anchor_date", "use_first_unread_anchor", "include_anchor", "num_before", "num_after")


def read_query(parameters: Parameters) -> Query:
    """The parameters that say how many messages to return around which message."""
    narrow = read_narrow(parameters)
    num_before, num_after = parameters.integer("num_before", 0), parameters.integer("num_after", 0)
    anchor = parameters.optional_text("anchor")
    if parameters.optional_boolean("use_first_unread_anchor"):
        anchor = "first_unread"
    if anchor is None:
        raise Refused("Missing 'anchor' argument.")
    return Query(
        anchor=_anchor_date(parameters) if anchor == "date" else _anchor(anchor),
        num_before=num_before,
        num_after=num_after,
        include_anchor=parameters.optional_boolean("include_anchor") is not False,
        narrow=narrow,
    )


def _anchor_date(parameters: Parameters) -> datetime:
    """The moment in `anchor_date`, in ISO 8601. Without a zone it is in UTC, as in Zulip."""
    text = parameters.optional_text("anchor_date")
    if text is None:
        raise missing("anchor_date")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("Invalid anchor_date") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _anchor(text: str) -> int | str:
    if text in ("newest", "oldest", "first_unread"):
        return text
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise Refused("Invalid anchor")
    return 0 if text.startswith("-") else int(digits) if len(digits) < 18 else BEYOND_ALL


async def get_one(call: Call) -> Answer:
    """`GET messages/{message_id}`."""
    as_html = call.parameters.optional_boolean("apply_markdown") is not False
    empty_topics = bool(call.parameters.optional_boolean("allow_empty_topic_name"))
    copy, directory = await messages.find_one(call.context, call.caller, call.id("message_id"))
    fields = copy_fields(copy, directory, as_html=as_html, empty_topics=empty_topics)
    return success(message=fields, raw_content=copy.message.content)


async def get_history(call: Call) -> Answer:
    """`GET messages/{message_id}/history`: every version, oldest first."""
    empty_topics = bool(call.parameters.optional_boolean("allow_empty_topic_name"))
    copy, _ = await messages.find_one(call.context, call.caller, call.id("message_id"))
    no_topic = "" if empty_topics else NO_TOPIC
    if not copy.message.edits:
        return success(message_history=_history(copy.message, no_topic))
    whose = call.caller.account.person_id
    return success(message_history=await call.context.long_work.run(whose, _history, copy.message, no_topic))


def _history(message: Message, no_topic: str) -> list[dict[str, object]]:
    """Each edit stores the version before it, so the versions are found from the newest back."""
    content, rendered, topic = message.content, message.rendered, message.topic
    versions: list[dict[str, object]] = []
    marker = Marker()
    for edit in message.edits:
        version: dict[str, object] = {
            "topic": topic or no_topic,
            "content": content,
            "rendered_content": rendered,
            "user_id": edit["user_id"],
            "timestamp": edit["timestamp"],
        }
        for name in ("prev_content", "prev_rendered_content", "prev_topic", "stream", "prev_stream"):
            if name in edit:
                version[name] = edit[name] or no_topic if name == "prev_topic" else edit[name]
        if "prev_rendered_content" in edit:
            version["content_html_diff"] = marker.marked(str(edit["prev_rendered_content"]), rendered)
        versions.append(version)
        content, rendered = str(edit.get("prev_content", content)), str(edit.get("prev_rendered_content", rendered))
        topic = str(edit.get("prev_topic", topic))
    first = {
        "topic": topic or no_topic,
        "content": content,
        "rendered_content": rendered,
        "user_id": message.sender_id,
        "timestamp": int(message.sent_at.timestamp()),
    }
    return [first, *reversed(versions)]


async def change(call: Call) -> Answer:
    """`PATCH messages/{message_id}`."""
    parameters = call.parameters
    for each in NOTICES:
        parameters.only(each.name, so=False)
    wanted = MessageChange(
        content=parameters.optional_text("content"),
        content_before=parameters.optional_text("prev_content_sha256"),
        topic=read_topic(parameters),
        channel_id=parameters.optional_integer("stream_id"),
        propagate_mode=parameters.optional_text("propagate_mode") or "change_one",
    )
    await message_changes.change(call.context, call.caller, call.id("message_id"), wanted)
    return success(detached_uploads=[])


async def delete(call: Call) -> Answer:
    """`DELETE messages/{message_id}`."""
    await message_changes.delete(call.context, call.caller, call.id("message_id"))
    return success()


async def render(call: Call) -> Answer:
    """`POST messages/render`."""
    content = call.parameters.text("content", max_length=100_000)
    return success(rendered=await messages.render(call.context, call.caller, content))


async def match(call: Call) -> Answer:
    """`GET messages/matches_narrow`."""
    ids = read_message_ids(call.parameters, "msg_ids")
    if ids is None:
        raise missing("msg_ids")
    found = await messages.matching(call.context, call.caller, ids, read_narrow(call.parameters))
    return success(
        messages={
            str(message.id): {"match_content": message.rendered, "match_subject": message.topic} for message in found
        }
    )


_AS_HTML = boolean("apply_markdown", "Whether to return the content as HTML (the default) or as it was written.")
_EMPTY_TOPICS = boolean(
    "allow_empty_topic_name", 'Whether the client supports empty topics. Otherwise they are "general chat".'
)
_GRAVATAR = boolean("client_gravatar", "Changes nothing: pictures are drawn here.")
NOTICES = tuple(
    fixed(f"send_notification_to_{place}_thread", "Whether to send a notice of a move there.", so=False)
    for place in ("old", "new")
)
AROUND = (
    text("anchor", "A message's id, `newest`, `oldest`, `first_unread` or `date`."),
    text("anchor_date", "With the anchor `date`: a moment in ISO 8601."),
    integer("num_before", "How many messages before the anchor."),
    integer("num_after", "How many messages after the anchor."),
    boolean("include_anchor", "Whether to return the message at the anchor."),
    boolean("use_first_unread_anchor", "The same as the anchor `first_unread`."),
    NARROW,
)

ENDPOINTS = (
    Endpoint.get(
        "messages",
        get,
        EVERYBODY.may(Scope.READ),
        "Messages around an anchor that match a narrow, or messages by their ids.",
        takes=(
            *AROUND,
            encoded("message_ids", "Only these messages.", MESSAGE_IDS),
            _AS_HTML,
            _GRAVATAR,
            _EMPTY_TOPICS,
        ),
        gives={
            "messages": array(MESSAGE),
            "history_limited": BOOLEAN,
            "anchor": nullable(INTEGER),
            "found_anchor": BOOLEAN,
            "found_oldest": BOOLEAN,
            "found_newest": BOOLEAN,
        },
    ),
    Endpoint.post(
        "messages/render",
        render,
        EVERYBODY.may(Scope.READ),
        FORM,
        "Render a text as HTML.",
        takes=(text("content", "The text, in Markdown.", required=True, max_length=100_000),),
        gives={"rendered": STRING},
    ),
    Endpoint.get(
        "messages/matches_narrow",
        match,
        EVERYBODY.may(Scope.READ),
        "Which of several messages match a narrow.",
        takes=(encoded("msg_ids", "The messages.", MESSAGE_IDS), NARROW),
        gives={"messages": MATCHES},
    ),
    Endpoint.get(
        "messages/{message_id}",
        get_one,
        EVERYBODY.may(Scope.READ),
        "One message.",
        takes=(_AS_HTML, _EMPTY_TOPICS),
        gives={"message": MESSAGE, "raw_content": STRING},
    ),
    Endpoint.get(
        "messages/{message_id}/history",
        get_history,
        EVERYBODY.may(Scope.READ),
        "All versions of a message.",
        takes=(_EMPTY_TOPICS,),
        gives={"message_history": array(VERSION)},
    ),
    Endpoint.patch(
        "messages/{message_id}",
        change,
        EVERYBODY.may(Scope.SEND),
        FORM,
        "Change a message's text, or its topic and channel.",
        takes=(
            text("content", "The new text."),
            TOPIC,
            SUBJECT,
            integer("stream_id", "The channel to move it to."),
            text("propagate_mode", "Which messages of the topic move: `change_one`, `change_later`, `change_all`."),
            text(
                "prev_content_sha256",
                "The SHA-256 of the earlier text, in hexadecimal. If it differs, the change is refused.",
            ),
            *NOTICES,
        ),
        gives={"detached_uploads": array(record({}))},
    ),
    Endpoint.delete(
        "messages/{message_id}", delete, EVERYBODY.may(Scope.SEND), FORM, "Delete a message for everybody."
    ),
)
