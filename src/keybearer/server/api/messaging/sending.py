"""`POST messages`: send a message to a channel or to people."""

from __future__ import annotations

import msgspec

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import INTEGER, boolean, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.narrows import checked_people
from keybearer.server.api.parameters import LARGEST, Parameters, check_decoded, check_entries, missing
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import MOST_ENTRIES
from keybearer.server.domain.messaging.message_events import Echo
from keybearer.server.domain.rules import WEBHOOKS_TOO
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import sending
from keybearer.server.services.messaging.sending import Draft, ToChannel, ToPeople


async def send(call: Call) -> Answer:
    """`POST messages`."""
    parameters = call.parameters
    kind = parameters.text("type")
    if kind not in ("stream", "channel", "private", "direct"):
        raise Refused("Invalid type")
    draft = Draft(
        to=_channel(parameters) if kind in ("stream", "channel") else _people(parameters),
        content=parameters.text("content"),
        read_by_sender=parameters.optional_boolean("read_by_sender"),
        echo=Echo(
            queue_id=parameters.optional_text("queue_id", max_length=100),
            local_id=parameters.optional_text("local_id", max_length=100),
        ),
    )
    return success(id=await sending.send(call.context, call.caller, draft))


def read_topic(parameters: Parameters) -> str | None:
    """The topic of a request, under either of its names."""
    topic, subject = parameters.optional_text("topic"), parameters.optional_text("subject")
    return subject if topic is None else topic


def _channel(parameters: Parameters) -> ToChannel:
    """The channel may be a plain name, or JSON: a name, an id, or a list of one of them."""
    written = parameters.optional_text("to")
    if not written:
        raise Refused("Missing channel")
    value = _decoded(written)
    if isinstance(value, list):
        if len(value) != 1:
            raise Refused("Expected exactly one channel")
        value = value[0]
    topic = read_topic(parameters)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused("Invalid data type for channel")
    if topic is None:
        raise Refused("Missing topic")
    if isinstance(value, int) and not 0 <= value <= LARGEST:
        raise Refused(f"Channel with ID '{value}' does not exist", code="STREAM_DOES_NOT_EXIST")
    return ToChannel(value, topic)


def _people(parameters: Parameters) -> ToPeople:
    read_topic(parameters)
    written = parameters.optional_text("to")
    if written is None:
        raise missing("to")
    value = _decoded(written)
    if isinstance(value, str):
        value = value.split(",")
        check_entries("to", value)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list):
        raise Refused("Invalid data type for recipients")
    return ToPeople(tuple(checked_people("to", value)))


def _decoded(written: str) -> object:
    """The value of a text that may be JSON or plain."""
    try:
        value: object = msgspec.json.decode(written)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return written
    check_decoded("to", written, value)
    return value


TOPIC = text("topic", "The topic, for a channel.")
SUBJECT = text("subject", "The same as `topic`, under its old name.")

ENDPOINTS = (
    Endpoint.post(
        "messages",
        send,
        WEBHOOKS_TOO.may(Scope.SEND),
        FORM,
        "Send a message to a channel or to people.",
        takes=(
            text("type", "`channel` (or `stream`), or `direct` (or `private`).", required=True),
            text(
                "to",
                "A channel's name or id; or a JSON list of email addresses or ids.",
                required=True,
                most=MOST_ENTRIES,
            ),
            text("content", "The text, in Markdown.", required=True),
            TOPIC,
            SUBJECT,
            boolean("read_by_sender", "Whether to mark it as read for the sender."),
            text("queue_id", "The sender's event queue, for `local_id`."),
            text("local_id", "Returned in that queue's event.", max_length=100),
        ),
        gives={"id": INTEGER},
    ),
)
