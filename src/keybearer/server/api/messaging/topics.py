"""`streams/{id}/delete_topic`: delete topics."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import BOOLEAN, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.messages import checked_topic
from keybearer.server.domain.rules import ADMINISTRATORS
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import topics


async def delete(call: Call) -> Answer:
    """`POST streams/{stream_id}/delete_topic`."""
    topic = checked_topic(call.parameters.text("topic_name"))
    return success(complete=await topics.delete(call.context, call.caller, call.id("stream_id"), topic))


ENDPOINTS = (
    Endpoint.post(
        "streams/{stream_id}/delete_topic",
        delete,
        ADMINISTRATORS.may(Scope.MANAGE),
        FORM,
        "Delete a topic with its messages; `complete` says whether everything is deleted. If not, call it again.",
        takes=(text("topic_name", "The topic.", required=True),),
        gives={"complete": BOOLEAN},
    ),
)
