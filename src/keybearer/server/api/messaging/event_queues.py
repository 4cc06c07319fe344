"""`register` and `events`: open an event queue, and read it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from datetime import timedelta

from keybearer._version import __version__
from keybearer.server.api import pieces
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import INTEGER, STRING, array, boolean, encoded, integer, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging import initial_state
from keybearer.server.api.messaging.event_shapes import EVENT
from keybearer.server.api.messaging.narrows import NARROW, STRINGS, read_narrow, read_strings
from keybearer.server.api.messaging.presences import read_history
from keybearer.server.api.messaging.state_shapes import STATE
from keybearer.server.api.parameters import Parameters
from keybearer.server.api.pieces import with_people_encoded
from keybearer.server.api.server import FEATURE_LEVEL, VERSION
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.event_queues import IDLE_TIMEOUT, LONGEST_IDLE_TIMEOUT, MOBILE_IDLE_TIMEOUT, QueueOptions
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.narrows import check_for_queue
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services import event_queues
from keybearer.server.services.messaging.initial_state import gather


async def register(call: Call) -> Answer:
    """`POST register`. The queue is opened before the state is read, so that no event is lost between the two."""
    parameters = call.parameters
    event_types = read_strings(parameters, "event_types")
    fetch_types = read_strings(parameters, "fetch_event_types")
    wanted = event_types if fetch_types is None else fetch_types
    narrow = read_narrow(parameters)
    check_for_queue(narrow)
    capabilities = parameters.optional_dict("client_capabilities") or {}
    wishes = initial_state.Wishes(
        types=None if wanted is None else frozenset(wanted),
        with_subscribers=_include_subscribers(parameters),
        slim_presence=bool(parameters.optional_boolean("slim_presence")),
        empty_topics=capabilities.get("empty_topic_name") is True,
        settings_apart=capabilities.get("user_settings_object") is True,
        notification_null=capabilities.get("notification_settings_null") is True,
    )
    parameters.optional_boolean("client_gravatar")
    history = read_history(parameters, "presence_history_limit_days")
    options = QueueOptions(
        event_types=None if event_types is None else tuple(dict.fromkeys(event_types)),
        narrow=narrow,
        all_public_streams=bool(parameters.optional_boolean("all_public_streams")),
        apply_markdown=bool(parameters.optional_boolean("apply_markdown")),
        empty_topics=wishes.empty_topics,
        slim_presence=wishes.slim_presence,
        simplified_presence=capabilities.get("simplified_presence_events") is True,
        bulk_deletion=capabilities.get("bulk_message_deletion") is True,
        stream_typing=capabilities.get("stream_typing_notifications") is True,
    )
    idle_timeout = _idle_timeout(parameters)
    turn = call.context.long_answers.turn(call.caller.account.person_id) if wishes.with_subscribers else nullcontext()
    async with turn:  # first: somebody who is refused a turn should not have a queue
        queue = await event_queues.open_queue(call.context, call.caller, options, idle_timeout)
        state = await gather(
            call.context,
            call.caller,
            wishes.wants,
            presence_history=history,
            with_subscribers=wishes.with_subscribers,
        )
        parts = await initial_state.fields(state, wishes)
        fields = {name: await pieces.encoded(each) for name, each in parts.items()}
    return success(
        queue_id=queue.id,
        last_event_id=queue.number_of(state.event_id),
        zulip_version=VERSION,
        keybearer_version=__version__,
        zulip_merge_base="",
        zulip_feature_level=FEATURE_LEVEL,
        idle_queue_timeout_secs=int(idle_timeout.total_seconds()),
        **fields,
    )


def _include_subscribers(parameters: Parameters) -> bool:
    value = parameters.optional_json("include_subscribers")
    if value is not None and not isinstance(value, bool) and value != "partial":
        raise Refused("include_subscribers is not a boolean")
    return bool(value)


def _idle_timeout(parameters: Parameters) -> timedelta:
    for name in ("idle_queue_timeout", "lifespan_secs", "queue_lifespan_secs"):
        value = parameters.optional_json(name)
        if value == "mobile":
            return MOBILE_IDLE_TIMEOUT
        if value is None or value == 0:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused(f"{name} is not an integer")
        if value < 0:
            raise Refused(f"{name} is too small")
        return timedelta(seconds=min(value, int(LONGEST_IDLE_TIMEOUT.total_seconds())))
    return IDLE_TIMEOUT


async def get(call: Call) -> Answer:
    """`GET events`: waits until there are some, or until a heartbeat after more than half a minute."""
    parameters = call.parameters
    queue_id = parameters.optional_text("queue_id")
    if queue_id is None:
        raise Refused("Missing 'queue_id' argument")
    last_number = parameters.optional_integer("last_event_id")
    if last_number is None:
        raise Refused("Missing 'last_event_id' argument")
    dont_block = bool(parameters.optional_boolean("dont_block"))
    told = await call.context.hub.poll(call.caller, queue_id, last_number, dont_block=dont_block)
    return success(events=await paced(_with_people_encoded, told), queue_id=queue_id)


def _with_people_encoded(event: Mapping[str, object]) -> Mapping[str, object]:
    message = event.get("message")
    return {**event, "message": with_people_encoded(message)} if isinstance(message, Mapping) else event


async def close(call: Call) -> Answer:
    """`DELETE events`."""
    queue_id = call.parameters.text("queue_id")
    await event_queues.close_queue(call.context, call.caller, queue_id)
    call.context.hub.end_polls_of(queue_id)
    return success()


ENDPOINTS = (
    Endpoint.post(
        "register",
        register,
        EVERYBODY.may(Scope.READ),
        FORM,
        "Open an event queue, and return the current state.",
        takes=(
            encoded("event_types", "The types of events to receive. Without it, all types.", STRINGS),
            encoded("fetch_event_types", "The types whose state to return, if different.", STRINGS),
            NARROW,
            boolean("all_public_streams", "Whether to receive messages of every public channel."),
            boolean("apply_markdown", "Whether to receive messages as HTML."),
            boolean("client_gravatar", "Changes nothing: pictures are drawn here."),
            boolean("slim_presence", "Whether to receive presence by id, in the new form."),
            encoded("include_subscribers", "Whether to return the subscribers of channels.", {}),
            encoded("client_capabilities", "What the client supports.", {"type": "object"}),
            integer("presence_history_limit_days", "How many days of presence to return, at most 14."),
            encoded("idle_queue_timeout", 'Seconds that the queue may be idle, or "mobile".', {}),
            encoded("lifespan_secs", "The same under its old name.", {}),
            encoded("queue_lifespan_secs", "The same under another old name.", {}),
        ),
        gives={
            "queue_id": STRING,
            "last_event_id": INTEGER,
            "zulip_version": STRING,
            "keybearer_version": STRING,
            "zulip_merge_base": STRING,
            "zulip_feature_level": INTEGER,
            "idle_queue_timeout_secs": INTEGER,
            **STATE,
        },
        optional=frozenset(STATE),
    ),
    Endpoint.get(
        "events",
        get,
        EVERYBODY.may(Scope.READ),
        "The events of a queue, as soon as there are some.",
        takes=(
            text("queue_id", "The queue."),
            integer("last_event_id", "The last event that the client has. Events up to it are deleted."),
            boolean("dont_block", "Whether to answer at once, with or without events."),
        ),
        gives={"events": array(EVENT), "queue_id": STRING},
    ),
    Endpoint.delete(
        "events",
        close,
        EVERYBODY.may(Scope.READ),
        FORM,
        "Close an event queue.",
        takes=(text("queue_id", "The queue.", required=True),),
    ),
)
