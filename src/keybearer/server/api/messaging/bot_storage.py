"""`bot_storage`: what bots store on the server."""

from __future__ import annotations

from keybearer.server.api import pieces
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import encoded
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.narrows import STRINGS, read_strings
from keybearer.server.api.parameters import missing
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import MOST_ENTRIES
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import bot_storage


async def get(call: Call) -> Answer:
    """`GET bot_storage`."""
    keys = read_strings(call.parameters, "keys")
    async with call.context.long_answers.turn(call.caller.account.person_id):
        return success(storage=await pieces.encoded(await bot_storage.get(call.context, call.caller, keys)))


async def put(call: Call) -> Answer:
    """`PUT bot_storage`."""
    texts = call.parameters.optional_dict("storage")
    if texts is None:
        raise missing("storage")
    for key, value in texts.items():
        if not isinstance(value, str):
            raise Refused(f"storage[{key!r}] is not a string")
    await bot_storage.put(call.context, call.caller, texts)
    return success()


async def remove(call: Call) -> Answer:
    """`DELETE bot_storage`."""
    await bot_storage.remove(call.context, call.caller, read_strings(call.parameters, "keys"))
    return success()


_KEYS = encoded("keys", "The keys. Without it, all keys.", STRINGS)

ENDPOINTS = (
    Endpoint.get(
        "bot_storage",
        get,
        EVERYBODY.may(Scope.SEND),
        "What the caller stores.",
        takes=(_KEYS,),
        gives={"storage": {"type": "object"}},
    ),
    Endpoint.put(
        "bot_storage",
        put,
        EVERYBODY.may(Scope.SEND),
        FORM,
        "Store texts under keys.",
        takes=(encoded("storage", "The texts, by key.", {"type": "object"}, most=MOST_ENTRIES),),
    ),
    Endpoint.delete(
        "bot_storage", remove, EVERYBODY.may(Scope.SEND), FORM, "Delete what is stored under keys.", takes=(_KEYS,)
    ),
)
