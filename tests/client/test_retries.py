"""No call is lost or sent twice by mistake. Each test runs with both clients."""

from __future__ import annotations

import threading

import pytest

from keybearer import Credentials
from keybearer.client.flow.retry import RetryPolicy
from keybearer.errors import RateLimited, ServerFailed, Unreachable
from tests.client.callers import Opener
from tests.client.scripted_server import PROFILE, Reply, ScriptedServer, error, html, success

HANG_UP = Reply(hang_up=True)


def limited(seconds: float) -> Reply:
    return error(429, "API usage exceeded rate limit", "RATE_LIMIT_HIT", **{"retry-after": seconds})


def test_a_limited_call_is_sent_again_after_the_wait(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.script = [limited(0.01), limited(0.01)]
    open_client(credentials).get_profile()
    assert len(server.seen) == 3


def test_a_limited_change_is_sent_again_once(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.script = [Reply(429, body=b"busy", headers={"Retry-After": "0"}), success(id=5)]
    sent = open_client(credentials).send_message(to="general", topic="lunch", content="soup")
    assert sent.id == 5
    assert [one.form["content"] for one in server.seen] == ["soup", "soup"]


def test_waiting_for_a_limit_has_an_end(open_client: Opener, server: ScriptedServer, credentials: Credentials) -> None:
    server.otherwise = limited(0.01)
    with pytest.raises(RateLimited):
        open_client(credentials, retry=RetryPolicy(attempts=3)).get_profile()
    assert len(server.seen) == 3


def test_a_wait_longer_than_the_patience_is_not_started(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = limited(1800)
    with pytest.raises(RateLimited) as caught:
        open_client(credentials).get_profile()
    assert caught.value.retry_after == 1800
    assert len(server.seen) == 1


@pytest.mark.parametrize("broken", [html(503), error(500, "Internal server error"), HANG_UP])
def test_reading_is_tried_again_when_the_server_fails(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, broken: Reply
) -> None:
    server.script = [success(**PROFILE), broken]
    client = open_client(credentials)
    client.get_profile()
    client.get_profile()
    assert len(server.seen) == 3


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("broken", [html(503), HANG_UP], ids=["503", "hang up"])
def test_a_change_that_may_have_been_made_is_not_sent_again(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, broken: Reply, method: str
) -> None:
    server.script = [success(**PROFILE), broken]
    client = open_client(credentials)
    client.get_profile()
    with pytest.raises((ServerFailed, Unreachable)):
        client.request(method, "messages/1")
    assert len(server.seen) == 2


def test_a_change_that_was_not_sent_is_sent_again(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    reply = success(**PROFILE)
    server.otherwise = Reply(json=reply.json, headers={"Connection": "close"})
    client = open_client(credentials)
    client.get_profile()
    server.close()
    restarted: list[ScriptedServer] = []
    restart = threading.Timer(0.3, lambda: restarted.append(ScriptedServer(port=server.port)))
    restart.start()
    client.request("POST", "messages", {"content": "soup"})
    restart.join()
    assert [one.form for one in restarted[0].seen] == [{"content": "soup"}]
    restarted[0].close()


def test_reading_is_tried_again_even_if_the_first_connection_breaks(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.script = [HANG_UP]
    assert open_client(credentials).get_profile().user_id == 7
    assert len(server.seen) == 2


def test_a_policy_with_one_attempt_never_tries_again(
    open_client: Opener, server: ScriptedServer, credentials: Credentials
) -> None:
    server.otherwise = limited(0.0)
    with pytest.raises(RateLimited):
        open_client(credentials, retry=RetryPolicy(attempts=1)).get_profile()
    assert len(server.seen) == 1


@pytest.mark.parametrize("policy", [{"attempts": 0}, {"patience": -1.0}])
def test_an_invalid_policy_is_refused(policy: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least once"):
        RetryPolicy(**policy)  # type: ignore[arg-type]  # the point of the test
