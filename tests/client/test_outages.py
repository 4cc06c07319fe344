"""A listener survives any outage between two events, and ends only for errors that waiting does not fix."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer import Credentials, Secret
from keybearer.client.flow.listening import LONGEST_PAUSE, Listener, listen
from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import CallFunction, Deliver, Failure, Pause, Response, Send
from keybearer.client.operations import event_queues
from keybearer.errors import (
    AccountDeactivated,
    APIError,
    ClientError,
    InvalidAPIKey,
    TimedOut,
    TLSFailed,
    Unreachable,
)
from tests.client.authority import Authority, Serve
from tests.client.authority import credentials as credentials_for
from tests.client.callers import Opener
from tests.client.key_server import write_zuliprc
from tests.client.scripted_server import (
    EMAIL,
    KEY,
    NEWER_KEY,
    PROFILE,
    Reply,
    ScriptedServer,
    Seen,
    error,
    html,
    refused,
    success,
)
from tests.client.zulip_queue import LOST, ZulipQueue, message_event

SITE = "https://chat.example.com"
KEYS = [f"{letter * 32}" for letter in "abcdef"]


def answer(status: int = 200, headers: dict[str, str] | None = None, **fields: Any) -> Response:
    body = {"result": "success" if status < 400 else "error", "msg": "", **fields}
    return Response(status, headers or {}, json.dumps(body).encode())


STATUSES = st.sampled_from([200, 204, 301, 302, 307, 400, 401, 403, 404, 407, 413, 418, 429, 500, 502, 503, 504, 521])
BODIES = st.sampled_from(
    [b"", b"<html><h1>Maintenance</h1></html>", b"{}", b"[]", b"null", b"{", b"\xff\xfe", b'{"error": "upstream"}',
     b'{"result": "success"}', b'{"result": "success", "events": 5}', b"HTTP request was sent to HTTPS port"]
)  # fmt: skip
RETRY_AFTER = st.sampled_from(
    ["1e11", "1e300", "nan", "inf", "-1", "-1e300", "0", "soon", "", "9" * 400, "Sun, 06 Nov 1994 08:49:37 GMT",
     "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 99999999999 00:00:00 GMT"]
)  # fmt: skip
PAGES = st.builds(
    lambda status, body, after: Response(
        status, {"retry-after": after, "location": "https://status.example.com"}, body
    ),
    STATUSES,
    BODIES,
    RETRY_AFTER,
)
LIMITS = st.builds(
    lambda after: answer(429, code="RATE_LIMIT_HIT", **{"retry-after": after}), RETRY_AFTER | st.floats()
)
FAILURES = st.sampled_from(
    [
        Failure(Unreachable("refused"), sent=False),
        Failure(Unreachable("reset"), sent=True),
        Failure(TimedOut("too late"), sent=True),
        Failure(TLSFailed("closed during the handshake", reason="other"), sent=False),
        Failure(TLSFailed("speaks no TLS", reason="not_tls"), sent=False),
    ]
)
LOSSES = st.sampled_from(
    [
        answer(400, code="BAD_EVENT_QUEUE_ID", msg="Bad event queue id: q"),
        answer(400, code="BAD_REQUEST", msg="An event newer than 5 has already been pruned!"),
        answer(500, msg="Internal server error"),
    ]
)
OUTAGES = st.lists(PAGES | LIMITS | FAILURES | LOSSES | st.just("a new key"), max_size=12)


class Zulip:
    """A server with all possible failures, and the file with its current key."""

    def __init__(self) -> None:
        self.key = KEY
        self.event = 0

    def outcome(self, state: ClientState, step: Send) -> Response:
        assert state.credentials is not None
        if state.credentials.api_key.reveal() != self.key:
            return answer(401, msg="Invalid API key")
        if step.request.url.endswith("/register"):
            return answer(queue_id="q", last_event_id=-1)
        if "/server_settings" in step.request.url:
            return answer(zulip_version="10.0")
        self.event += 1
        return answer(events=[message_event(self.event)])


@given(st.lists(OUTAGES, min_size=1, max_size=4), st.booleans())
def test_a_listener_continues_after_any_outage_and_never_waits_long(gaps: list[list[Any]], patient: bool) -> None:
    zulip = Zulip()
    keys = iter(range(10**6))
    state = ClientState(
        SITE,
        Credentials(EMAIL, Secret(KEY), SITE),
        read_anew=lambda: Credentials(EMAIL, Secret(zulip.key), SITE),
        retry=RetryPolicy() if patient else RetryPolicy(attempts=1),
    )
    flow = listen(state, Listener(event_queues.register()))
    step = next(flow)
    for gap in [[], *gaps]:
        for trouble in [*gap, None]:
            while isinstance(step, Pause | CallFunction):
                assert not isinstance(step, Pause) or 0 <= step.seconds <= LONGEST_PAUSE + 1
                step = flow.send(step.function() if isinstance(step, CallFunction) else None)
            assert isinstance(step, Send)
            if trouble == "a new key":
                zulip.key = f"{next(keys):032}"
                step = flow.send(zulip.outcome(state, step))
            elif trouble is not None:
                step = flow.send(trouble)
        while not isinstance(step, Deliver):
            match step:
                case Send():
                    step = flow.send(zulip.outcome(state, step))
                case CallFunction(function):
                    step = flow.send(function())
                case _:
                    step = flow.send(None)
        assert step.event.id == zulip.event
        step = next(flow)


FINAL = [
    (answer(401, msg="Invalid API key"), InvalidAPIKey),
    (answer(401, msg="Account is deactivated", code="USER_DEACTIVATED"), AccountDeactivated),
    (answer(403, msg="This key may not read", code="API_KEY_SCOPE_MISSING"), APIError),
    (answer(403, msg="Not from this network", code="ANYTHING_NEW"), APIError),
    *[
        (Failure(TLSFailed("no", reason=reason), sent=False), TLSFailed)
        for reason in ("unknown_issuer", "name_mismatch", "expired", "not_yet_valid", "not_acceptable")
    ],
]


@pytest.mark.parametrize("when", ["poll", "registration"])
@pytest.mark.parametrize(("outcome", "kind"), FINAL, ids=lambda value: getattr(value, "__name__", ""))
def test_a_listener_ends_for_errors_that_waiting_does_not_fix(
    outcome: Response | Failure, kind: type[ClientError], when: str
) -> None:
    zulip = Zulip()
    state = ClientState(SITE, Credentials(EMAIL, Secret(KEY), SITE), retry=RetryPolicy(attempts=1))
    flow = listen(state, Listener(event_queues.register()))
    step = next(flow)
    while not isinstance(step, Deliver):
        assert isinstance(step, Send)
        step = flow.send(zulip.outcome(state, step))
    step = next(flow)
    if when == "registration":
        step = flow.send(answer(400, code="BAD_EVENT_QUEUE_ID"))
    with pytest.raises(kind):
        flow.send(outcome)


def test_a_listener_survives_several_key_changes_between_two_events(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    keys = iter(KEYS)

    def replace_key(seen: Seen) -> Reply:
        write_zuliprc(zuliprc, next(keys), server.site)
        return refused()

    server.otherwise = ZulipQueue([message_event(0)], *[replace_key] * 5, [message_event(1)])
    assert [one.id for one in open_client(config_file=zuliprc).take_events(2)] == [0, 1]


@pytest.mark.parametrize(
    "page", [html(200), html(403), html(404), html(413), Reply(200, body=b""), html(502), html(401), LOST]
)
def test_a_listener_survives_the_pages_of_a_proxy(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, page: Reply
) -> None:
    server.otherwise = ZulipQueue([message_event(0)], page, [message_event(1)])
    client = open_client(credentials, retry=RetryPolicy(attempts=1))
    assert [one.id for one in client.take_events(2)] == [0, 1]


class RestartingBehindAProxy:
    """A TLS server that stops. Then its port closes connections before the handshake, and finally it serves again."""

    def __init__(self, server: ScriptedServer, context: ssl.SSLContext, cuts: int) -> None:
        self._server, self._context, self._cuts = server, context, cuts
        self.restarted: ScriptedServer | None = None
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._restart)

    def begin(self) -> None:
        self._thread.start()
        assert self._listening.wait(30)

    def _restart(self) -> None:
        self._server._server.shutdown()
        self._server._server.server_close()
        with socket.create_server(("127.0.0.1", self._server.port)) as listener:
            listener.settimeout(30)
            self._listening.set()
            for _ in range(self._cuts):
                listener.accept()[0].close()
        self.restarted = ScriptedServer(self._context, port=self._server.port)
        self.restarted.otherwise = self._server.otherwise

    def end(self) -> ScriptedServer:
        self._thread.join(30)
        assert self.restarted is not None
        self.restarted.close()
        return self.restarted


def test_a_listener_survives_handshakes_that_are_cut(open_client: Opener, authority: Authority, serve: Serve) -> None:
    server = serve(authority.server_context())
    restart = RestartingBehindAProxy(server, authority.server_context(), cuts=2)

    def go_away(_: Seen) -> Reply:
        restart.begin()
        return Reply(hang_up=True)

    server.otherwise = ZulipQueue([message_event(0)], go_away, [message_event(1)])
    client = open_client(credentials_for(server.site, cert_bundle=authority.bundle), retry=RetryPolicy(attempts=1))
    assert [one.id for one in client.take_events(2)] == [0, 1]
    restart.end()


def test_a_change_whose_handshake_was_cut_is_sent_again(
    open_client: Opener, authority: Authority, serve: Serve
) -> None:
    server = serve(authority.server_context())
    server.otherwise = Reply(json=success(**PROFILE).json, headers={"Connection": "close"})
    client = open_client(credentials_for(server.site, cert_bundle=authority.bundle))
    client.get_profile()
    restart = RestartingBehindAProxy(server, authority.server_context(), cuts=1)
    restart.begin()
    client.request("POST", "messages", {"content": "soup"})
    assert [one.form for one in restart.end().seen] == [{"content": "soup"}]


def test_every_wait_is_logged_without_the_key(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    server.otherwise = ZulipQueue([message_event(0)], html(502), error(500, KEY), [message_event(1)])
    with caplog.at_level(logging.INFO, "keybearer.client"):
        open_client(credentials, retry=RetryPolicy(attempts=1)).take_events(2)
    waits = [record.getMessage() for record in caplog.records if "trying again in" in record.getMessage()]
    assert len(waits) == 2
    assert KEY not in caplog.text


def test_an_endpoint_of_every_zulip_server_is_not_reported_as_missing(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    client = open_client(credentials, retry=RetryPolicy(attempts=1))
    client.get_profile()
    server.otherwise = html(404)
    with pytest.raises(APIError, match="proxy"):
        client.get_events(queue_id="q")
    with pytest.raises(APIError, match="no endpoint"):
        client.request("GET", "no_such_endpoint")


def test_the_newer_key_is_used_for_the_queue_that_replaces_a_lost_one(
    open_client: Opener, server: ScriptedServer, zuliprc: Path
) -> None:
    def replace_key(seen: Seen) -> Reply:
        write_zuliprc(zuliprc, NEWER_KEY, server.site)
        return LOST

    queue = server.otherwise = ZulipQueue([message_event(0)], replace_key, refused(), [message_event(1)])
    assert [one.id for one in open_client(config_file=zuliprc).take_events(2)] == [0, 1]
    assert len(queue.registrations) == 2
