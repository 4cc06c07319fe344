"""Presence, status and typing."""

from __future__ import annotations

from datetime import timedelta

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import BOOLEAN, INTEGER, NUMBER, boolean, encoded, fixed, integer, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.narrows import checked_people
from keybearer.server.api.messaging.shapes import ONE_PRESENCE, PRESENCES, STATUS
from keybearer.server.api.parameters import Parameters, missing
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import MOST_ENTRIES
from keybearer.server.domain.messaging.messages import checked_topic
from keybearer.server.domain.messaging.presence_events import one_presence_fields, presence_fields, status_fields
from keybearer.server.domain.rules import EVERYBODY, PEOPLE
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import presences


async def note(call: Call) -> Answer:
    """`POST users/me/presence`."""
    parameters = call.parameters
    status = parameters.text("status")
    ping_only = bool(parameters.optional_boolean("ping_only"))
    parameters.only("new_user_input", so=False)
    slim = bool(parameters.optional_boolean("slim_presence")) or parameters.has("last_update_id")
    parameters.optional_integer("last_update_id")
    history = read_history(parameters, "history_limit_days")
    await presences.note(call.context, call.caller, status)
    if ping_only:
        return success()
    present = await presences.find_all(call.context, call.caller, history=history)
    return success(
        presences=await presence_fields(present, call.realm.bot_domain, slim=slim),
        server_timestamp=call.context.clock().timestamp(),
        presence_last_update_id=-1,
        zephyr_mirror_active=False,
    )


def read_history(parameters: Parameters, name: str) -> timedelta:
    """How many days of presence to return. At most as many as are reported."""
    days = parameters.optional_integer(name)
    if days is None:
        return presences.HISTORY
    return timedelta(days=min(max(days, 0), presences.HISTORY.days))


async def get_all(call: Call) -> Answer:
    """`GET realm/presence`."""
    present = await presences.find_all(call.context, call.caller)
    return success(
        presences=await presence_fields(present, call.realm.bot_domain, slim=False),
        server_timestamp=call.context.clock().timestamp(),
    )


async def get_one(call: Call) -> Answer:
    """`GET users/{user}/presence`, by id or email address."""
    named = call.ids["user"]
    person = int(named) if named.isascii() and named.isdigit() and len(named) < 10 else named
    found = await presences.find(call.context, call.caller, person)
    return success(presence=one_presence_fields(found, call.context.clock()))


async def set_status(call: Call) -> Answer:
    """`POST users/me/status`."""
    parameters = call.parameters
    await presences.set_status(
        call.context,
        call.caller,
        text=parameters.optional_text("status_text"),
        emoji_name=parameters.optional_text("emoji_name"),
        code=parameters.optional_text("emoji_code"),
        kind=parameters.optional_text("reaction_type"),
        is_away=parameters.optional_boolean("away"),
    )
    return success()


async def get_status(call: Call) -> Answer:
    """`GET users/{user_id}/status`."""
    found = await presences.find_status(call.context, call.caller, call.id("user_id"))
    return success(status=status_fields(found))


async def tell_typing(call: Call) -> Answer:
    """`POST typing`."""
    parameters = call.parameters
    op, kind = _read_op(parameters), parameters.optional_text("type") or "direct"
    if kind not in ("direct", "private", "stream", "channel"):
        raise Refused("Invalid type")
    topic = parameters.optional_text("topic")
    channel_id = parameters.optional_integer("stream_id")
    to = parameters.optional_json("to")
    if kind in ("stream", "channel"):
        if channel_id is None:
            raise Refused("Missing stream_id")
        if topic is None:
            raise Refused("Missing topic")
        await presences.tell_typing_in_channel(call.context, call.caller, op, channel_id, checked_topic(topic))
        return success()
    if to is None:
        raise missing("to")
    people = checked_people("to", to if isinstance(to, list) else [to])
    await presences.tell_typing_to_people(call.context, call.caller, op, people)
    return success()


def _read_op(parameters: Parameters) -> str:
    op = parameters.text("op")
    if op not in ("start", "stop"):
        raise Refused("Invalid op")
    return op


async def tell_typing_in_message(call: Call) -> Answer:
    """`POST messages/{message_id}/typing`."""
    op = _read_op(call.parameters)
    await presences.tell_typing_in_message(call.context, call.caller, op, call.id("message_id"))
    return success()


_OP = text("op", "`start` or `stop`.", required=True)

ENDPOINTS = (
    Endpoint.post(
        "users/me/presence",
        note,
        PEOPLE.may(Scope.READ),
        FORM,
        "Report that the caller is present, and ask who else is.",
        takes=(
            text("status", "`active` or `idle`.", required=True),
            boolean("ping_only", "Whether to return no other accounts."),
            fixed("new_user_input", "Whether the person has been active since the last call.", so=False),
            boolean("slim_presence", "Whether to answer by id, in the new form."),
            integer("last_update_id", "Requests the new form."),
            integer("history_limit_days", "How many days of presence to return, at most 14."),
        ),
        gives={
            "presences": PRESENCES,
            "server_timestamp": NUMBER,
            "presence_last_update_id": INTEGER,
            "zephyr_mirror_active": BOOLEAN,
        },
        optional=frozenset({"presences", "server_timestamp", "presence_last_update_id", "zephyr_mirror_active"}),
    ),
    Endpoint.get(
        "realm/presence",
        get_all,
        EVERYBODY.may(Scope.READ),
        "Who is present.",
        gives={"presences": PRESENCES, "server_timestamp": NUMBER},
    ),
    Endpoint.get(
        "users/{user}/presence",
        get_one,
        EVERYBODY.may(Scope.READ),
        "When somebody was last present.",
        gives={"presence": ONE_PRESENCE},
    ),
    Endpoint.post(
        "users/me/status",
        set_status,
        EVERYBODY.may(Scope.SEND),
        FORM,
        "Change the caller's status.",
        takes=(
            text("status_text", "In words."),
            text("emoji_name", "The name of its emoji; empty for none."),
            text("emoji_code", "The emoji's code points in hexadecimal."),
            text("reaction_type", "`unicode_emoji` or `zulip_extra_emoji`."),
            boolean("away", "Whether the caller is shown as offline."),
        ),
    ),
    Endpoint.get(
        "users/{user_id}/status",
        get_status,
        EVERYBODY.may(Scope.READ),
        "Somebody's status.",
        gives={"status": STATUS},
    ),
    Endpoint.post(
        "typing",
        tell_typing,
        EVERYBODY.may(Scope.SEND),
        FORM,
        "Report that the caller is writing a message, or has stopped.",
        takes=(
            _OP,
            text("type", "`direct` (the default) or `channel`."),
            encoded("to", "The recipients: a JSON list of ids or email addresses.", {}, most=MOST_ENTRIES),
            integer("stream_id", "The channel."),
            text("topic", "The topic."),
        ),
    ),
    Endpoint.post(
        "messages/{message_id}/typing",
        tell_typing_in_message,
        EVERYBODY.may(Scope.SEND),
        FORM,
        "Report that the caller is editing its message, or has stopped.",
        takes=(_OP,),
    ),
)
