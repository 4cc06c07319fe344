"""`users/me/muted_users`: accounts whose messages are marked as read for the caller."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import muted_users


async def mute(call: Call) -> Answer:
    """`POST users/me/muted_users/{muted_user_id}`."""
    await muted_users.mute(call.context, call.caller, call.id("muted_user_id"))
    return success()


async def unmute(call: Call) -> Answer:
    """`DELETE users/me/muted_users/{muted_user_id}`."""
    await muted_users.unmute(call.context, call.caller, call.id("muted_user_id"))
    return success()


_PATH = "users/me/muted_users/{muted_user_id}"

ENDPOINTS = (
    Endpoint.post(
        _PATH, mute, EVERYBODY.may(Scope.MANAGE), FORM, "Mute a user: what they send is marked as read for the caller."
    ),
    Endpoint.delete(_PATH, unmute, EVERYBODY.may(Scope.MANAGE), FORM, "Unmute a user."),
)
