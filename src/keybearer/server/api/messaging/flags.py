"""`messages/flags`: the flags on an account's copies of messages."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import BOOLEAN, INTEGER, array, encoded, integer, nullable, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.messages import AROUND, read_query
from keybearer.server.api.messaging.narrows import MESSAGE_IDS, read_message_ids
from keybearer.server.api.parameters import missing
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import flags


async def mark(call: Call) -> Answer:
    """`POST messages/flags`."""
    ids = read_message_ids(call.parameters, "messages")
    if ids is None:
        raise missing("messages")
    op, flag = call.parameters.text("op"), call.parameters.text("flag")
    await flags.mark(call.context, call.caller, ids, op, flag)
    return success(messages=ids, ignored_because_not_subscribed_channels=[])


async def mark_narrow(call: Call) -> Answer:
    """`POST messages/flags/narrow`."""
    op, flag = call.parameters.text("op"), call.parameters.text("flag")
    marked = await flags.mark_narrow(call.context, call.caller, read_query(call.parameters), op, flag)
    return success(
        processed_count=marked.processed,
        updated_count=marked.updated,
        first_processed_id=marked.first_id,
        last_processed_id=marked.last_id,
        found_oldest=marked.found_oldest,
        found_newest=marked.found_newest,
        ignored_because_not_subscribed_channels=[],
    )


async def mark_all(call: Call) -> Answer:
    """`POST mark_all_as_read`."""
    await flags.mark_all_read(call.context, call.caller)
    return success(complete=True)


async def mark_channel(call: Call) -> Answer:
    """`POST mark_stream_as_read`."""
    await flags.mark_channel_read(call.context, call.caller, call.parameters.integer("stream_id"))
    return success()


async def mark_topic(call: Call) -> Answer:
    """`POST mark_topic_as_read`."""
    channel_id, topic = call.parameters.integer("stream_id"), call.parameters.text("topic_name")
    await flags.mark_channel_read(call.context, call.caller, channel_id, topic=topic)
    return success()


_OP = text("op", "`add` or `remove`.", required=True)
_FLAG = text("flag", "`read`, `starred` or `collapsed`.", required=True)
_CHANNEL = integer("stream_id", "The channel.", required=True)
_IGNORED = array(INTEGER)

ENDPOINTS = (
    Endpoint.post(
        "messages/flags",
        mark,
        EVERYBODY.may(Scope.READ),
        FORM,
        "Add a flag to messages, or remove it.",
        takes=(encoded("messages", "The messages.", MESSAGE_IDS), _OP, _FLAG),
        gives={"messages": array(INTEGER), "ignored_because_not_subscribed_channels": _IGNORED},
    ),
    Endpoint.post(
        "messages/flags/narrow",
        mark_narrow,
        EVERYBODY.may(Scope.READ),
        FORM,
        "Add a flag to the messages around an anchor, or remove it.",
        takes=(*AROUND, _OP, _FLAG),
        gives={
            "processed_count": INTEGER,
            "updated_count": INTEGER,
            "first_processed_id": nullable(INTEGER),
            "last_processed_id": nullable(INTEGER),
            "found_oldest": BOOLEAN,
            "found_newest": BOOLEAN,
            "ignored_because_not_subscribed_channels": _IGNORED,
        },
    ),
    Endpoint.post(
        "mark_all_as_read",
        mark_all,
        EVERYBODY.may(Scope.READ),
        FORM,
        "Mark everything as read.",
        gives={"complete": BOOLEAN},
    ),
    Endpoint.post(
        "mark_stream_as_read",
        mark_channel,
        EVERYBODY.may(Scope.READ),
        FORM,
        "Mark a channel as read.",
        takes=(_CHANNEL,),
    ),
    Endpoint.post(
        "mark_topic_as_read",
        mark_topic,
        EVERYBODY.may(Scope.READ),
        FORM,
        "Mark a topic as read.",
        takes=(_CHANNEL, text("topic_name", "The topic.", required=True)),
    ),
)
