"""`attachments`: the files that the caller has uploaded."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import INTEGER, array
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.shapes import ATTACHMENT
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.attachments import attachment_fields
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import attachments


async def get_all(call: Call) -> Answer:
    """`GET attachments`."""
    own = await attachments.find_all(call.context, call.caller)
    return success(attachments=await paced(attachment_fields, own.found), upload_space_used=own.used)


async def delete(call: Call) -> Answer:
    """`DELETE attachments/{attachment_id}`."""
    await attachments.delete(call.context, call.caller, call.id("attachment_id"))
    return success()


ENDPOINTS = (
    Endpoint.get(
        "attachments",
        get_all,
        EVERYBODY.may(Scope.READ),
        "The files that the caller has uploaded, and the messages that link to them.",
        gives={"attachments": array(ATTACHMENT), "upload_space_used": INTEGER},
    ),
    Endpoint.delete(
        "attachments/{attachment_id}", delete, EVERYBODY.may(Scope.SEND), FORM, "Delete one of the caller's own files."
    ),
)
