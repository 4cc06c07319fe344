"""`default_streams`: the channels that every new person follows."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import integer
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import ADMINISTRATORS
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import channels
from keybearer.server.services.messaging.channels import ChannelChange


async def add(call: Call) -> Answer:
    """`POST default_streams`."""
    return await _choose(call, is_default=True)


async def remove(call: Call) -> Answer:
    """`DELETE default_streams`."""
    return await _choose(call, is_default=False)


async def _choose(call: Call, *, is_default: bool) -> Answer:
    channel_id = call.parameters.integer("stream_id")
    await channels.change(call.context, call.caller, channel_id, ChannelChange(is_default=is_default))
    return success()


_CHANNEL = (integer("stream_id", "The channel.", required=True),)

ENDPOINTS = (
    Endpoint.post(
        "default_streams",
        add,
        ADMINISTRATORS.may(Scope.MANAGE),
        FORM,
        "Subscribe new people to a public channel.",
        takes=_CHANNEL,
    ),
    Endpoint.delete(
        "default_streams",
        remove,
        ADMINISTRATORS.may(Scope.MANAGE),
        FORM,
        "No longer subscribe new people to a channel.",
        takes=_CHANNEL,
    ),
)
