"""`messages/{message_id}/reactions`, and the available emoji."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import reactions


async def add(call: Call) -> Answer:
    """`POST messages/{message_id}/reactions`."""
    parameters = call.parameters
    await reactions.add(
        call.context,
        call.caller,
        call.id("message_id"),
        name=parameters.text("emoji_name"),
        code=parameters.optional_text("emoji_code"),
        kind=parameters.optional_text("reaction_type"),
    )
    return success()


async def remove(call: Call) -> Answer:
    """`DELETE messages/{message_id}/reactions`."""
    parameters = call.parameters
    await reactions.remove(
        call.context,
        call.caller,
        call.id("message_id"),
        name=parameters.optional_text("emoji_name"),
        code=parameters.optional_text("emoji_code"),
        kind=parameters.optional_text("reaction_type") or "unicode_emoji",
    )
    return success()


async def get_custom(_call: Call) -> Answer:
    """`GET realm/emoji`: organizations here have none of their own."""
    return success(emoji={})


_CODE = text("emoji_code", "Its code points in hexadecimal, such as `1f44d`.")
_KIND = text("reaction_type", "`unicode_emoji` or `zulip_extra_emoji`.")

ENDPOINTS = (
    Endpoint.post(
        "messages/{message_id}/reactions",
        add,
        EVERYBODY.may(Scope.SEND),
        FORM,
        "Add an emoji to a message.",
        takes=(text("emoji_name", "The emoji's name, such as `thumbs_up`.", required=True), _CODE, _KIND),
    ),
    Endpoint.delete(
        "messages/{message_id}/reactions",
        remove,
        EVERYBODY.may(Scope.SEND),
        FORM,
        "Remove an emoji from a message.",
        takes=(text("emoji_name", "The emoji's name, such as `thumbs_up`."), _CODE, _KIND),
    ),
    Endpoint.get(
        "realm/emoji",
        get_custom,
        EVERYBODY.may(Scope.READ),
        "The organization's own emoji.",
        gives={"emoji": {"type": "object"}},
    ),
)
