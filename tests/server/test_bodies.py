"""Bodies: one that ends early or arrives too late is never executed, at any door."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from starlette.types import Message, Receive, Scope, Send

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.door import BY_KEY, WireDoor
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.rules import OPEN
from keybearer.server.http.admission import Admission, Admitter
from keybearer.server.http.authentication import KeyAuthentication
from keybearer.server.http.body import BodyLimits, Disconnected, TooSlow, read_fields
from keybearer.server.http.front_door import FrontDoor
from keybearer.server.http.limits import HeldBody, Limits
from keybearer.server.http.request import Request
from keybearer.server.services.key_uses import UseRecorder
from keybearer.server.services.refusals import RefusalRecorder
from keybearer.server.storage.messaging.tables import upload_contents
from keybearer.server.storage.verification import KeyVerifier
from keybearer.server.web.door import PagesDoor
from tests.asgi import FORM_TYPE, Headers, Sending, ask, by_key, by_session, form
from tests.in_process import InProcessServer, Known
from tests.server.test_caps import number_of

BOUNDARY = "----boundary"
UPLOAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="notes.txt"\r\n'
    f"Content-Type: text/plain\r\n\r\nA few lines of notes.\r\n--{BOUNDARY}--\r\n"
).encode()
NAME = form({"full_name": "Mia Something Long"})
PRIVACY = form({"email_visibility": "4", "login_mails": "on"})
MULTIPART_TYPE = f"multipart/form-data; boundary={BOUNDARY}"

CUT: dict[str, tuple[str, str, str, str, bytes]] = {
    "page": ("session", "POST", "/settings/account/name/", FORM_TYPE, NAME),
    "page with a switch": ("session", "POST", "/settings/account/privacy/", FORM_TYPE, PRIVACY),
    "session": ("session", "PATCH", "/json/settings", FORM_TYPE, NAME),
    "key": ("key", "PATCH", "/api/v1/settings", FORM_TYPE, NAME),
    "key, meaning another method": ("key", "POST", "/api/v1/settings", FORM_TYPE, NAME + b"&method=PATCH"),
    "upload": ("key", "POST", "/api/v1/user_uploads", MULTIPART_TYPE, UPLOAD),
}


async def credentials(server: InProcessServer, who: Known, way: str) -> Headers:
    return by_key(who.auth) if way == "key" else by_session(await server.signed_in(who))


@pytest.mark.parametrize("name", CUT)
async def test_a_body_that_ends_early_is_never_executed(server: InProcessServer, name: str) -> None:
    way, method, path, content_type, body = CUT[name]
    mia = await server.add_person("mia")
    headers = {**await credentials(server, mia, way), "content-type": content_type, "content-length": str(len(body))}
    before = await server.events()
    for cut in (0, 1, *range(7, len(body), 13), len(body) - 10, len(body) - 1, len(body)):
        sending = Sending(server.app, method, path, headers)
        await sending.hand_over(body[:cut])
        await sending.disconnect()
        assert not sending.sent, cut
    assert (await server.known(mia.email)).account == mia.account
    assert await server.events() == before
    assert await number_of(server, upload_contents) == 0
    whole = await Sending(server.app, method, path, headers).finish(body)
    assert whole.status in (200, 303), whole.text


async def test_a_body_in_many_pieces_is_one_body(server: InProcessServer) -> None:
    mia = await server.add_person("mia")
    sending = Sending(server.app, "PATCH", "/api/v1/settings", {**by_key(mia.auth), "content-type": FORM_TYPE})
    for byte in NAME[:-1]:
        await sending.hand_over(bytes([byte]))
    assert (await sending.finish(NAME[-1:])).status == 200
    assert (await server.known(mia.email)).account.full_name == "Mia Something Long"


def held() -> HeldBody:
    return HeldBody(Counter(), "198.51.100.7")


LATE = BodyLimits(100, 100, 0.05)
POST = Request(
    {
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"content-type", FORM_TYPE.encode()), (b"host", b"localhost:9991")],
    },
    [],
)


async def test_a_body_that_is_held_open_beyond_its_time_is_dropped() -> None:
    async def receive_slowly() -> Message:
        await asyncio.sleep(0.02)  # each piece arrives in time, but the body never ends
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(TooSlow):
        await read_fields(POST, receive_slowly, LATE, held())


async def test_a_connection_that_closes_first_leaves_no_body() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(Disconnected):
        await read_fields(POST, receive, LATE, held())


async def test_a_body_that_arrives_too_late_is_answered_408_and_not_executed(server: InProcessServer) -> None:
    executed = []

    async def handle(call: Call) -> Answer:
        executed.append(call)
        return success()

    context = server.context
    limits = Limits(server.settings.calls_of_account, server.settings.failures_of_address)
    refusals = RefusalRecorder(context)
    verifier = KeyVerifier(context.database, context.ring)
    keys = KeyAuthentication(verifier, UseRecorder(context), refusals, limits, context.clock)
    door = WireDoor(BY_KEY, [Endpoint("POST", "slow", handle, OPEN, LATE, "Take a body.")])
    front_door = FrontDoor(context, Admitter(context, keys, limits), refusals, [door])
    sending = Sending(front_door, "POST", "/api/v1/slow", {"content-type": FORM_TYPE})
    await sending.hand_over(b"name=")
    answer = await sending.ended()
    assert (answer.status, answer.message) == (408, TooSlow().message)
    assert not executed
    assert (await Sending(front_door, "POST", "/api/v1/slow", {"content-type": FORM_TYPE}).finish(b"a=b")).status == 200


async def test_a_page_answers_408_to_a_slow_form(server: InProcessServer) -> None:
    door, admission = PagesDoor(), Admission(server.context, POST, None, {})

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await (await door.refuse(admission, TooSlow()))(scope, receive, send)

    answer = await ask(refuse, "POST", "/settings/account/name/")
    assert answer.status == 408
    assert TooSlow().message in answer.text
