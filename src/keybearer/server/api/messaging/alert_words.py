"""`users/me/alert_words`: words that the caller wants to be alerted to."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import encoded
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.messaging.narrows import STRINGS, read_strings
from keybearer.server.api.parameters import missing
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM
from keybearer.server.services.messaging import alert_words


async def get_all(call: Call) -> Answer:
    """`GET users/me/alert_words`."""
    return success(alert_words=await alert_words.find_all(call.context, call.caller))


async def add(call: Call) -> Answer:
    """`POST users/me/alert_words`."""
    return success(alert_words=await alert_words.add(call.context, call.caller, _words(call)))


async def remove(call: Call) -> Answer:
    """`DELETE users/me/alert_words`."""
    return success(alert_words=await alert_words.remove(call.context, call.caller, _words(call)))


def _words(call: Call) -> list[str]:
    words = read_strings(call.parameters, "alert_words", most=Cap.ALERT_WORDS.most)
    if words is None:
        raise missing("alert_words")
    return words


_PATH = "users/me/alert_words"
_WORDS = encoded("alert_words", "The words or phrases, in any case.", STRINGS, most=Cap.ALERT_WORDS.most)
_GIVES = {"alert_words": STRINGS}

ENDPOINTS = (
    Endpoint.get(_PATH, get_all, EVERYBODY.may(Scope.READ), "The caller's alert words.", gives=_GIVES),
    Endpoint.post(
        _PATH,
        add,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Add alert words. The answer has the whole list.",
        takes=(_WORDS,),
        gives=_GIVES,
    ),
    Endpoint.delete(
        _PATH,
        remove,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Remove alert words. The answer has the rest.",
        takes=(_WORDS,),
        gives=_GIVES,
    ),
)
