"""`messages/{id}/read_receipts`: who has read a message."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import INTEGER, array
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.services.messaging import read_receipts


async def get(call: Call) -> Answer:
    """`GET messages/{message_id}/read_receipts`."""
    return success(user_ids=await read_receipts.find(call.context, call.caller, call.id("message_id")))


ENDPOINTS = (
    Endpoint.get(
        "messages/{message_id}/read_receipts",
        get,
        EVERYBODY.may(Scope.READ),
        "Who has read a message.",
        gives={"user_ids": array(INTEGER)},
    ),
)
