"""A call as a flow of steps, without a client, network or clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keybearer import Credentials, Secret
from keybearer.client.flow.protocol import perform
from keybearer.client.flow.retry import Patience, RetryPolicy, backoff
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import CallFunction, Failure, Pause, Response, Send
from keybearer.client.models.accounts import Profile
from keybearer.client.operations import accounts, messages
from keybearer.errors import InvalidAPIKey, RateLimited, ServerFailed, Unreachable
from tests.client.scripted_server import EMAIL, KEY, NEWER_KEY, PROFILE

SITE = "https://chat.example.com"


def state(**options: Any) -> ClientState:
    return ClientState(SITE, Credentials(EMAIL, Secret(KEY), SITE), **options)


def answer(status: int = 200, **fields: Any) -> Response:
    return Response(
        status, {}, json.dumps({"result": "success" if status < 400 else "error", "msg": "", **fields}).encode()
    )


def test_a_call_is_one_request_and_its_value() -> None:
    flow = perform(state(), accounts.get_profile())
    step = next(flow)
    assert isinstance(step, Send)
    assert (step.request.method, step.request.url) == ("GET", f"{SITE}/api/v1/users/me")
    assert KEY not in repr(step)
    with pytest.raises(StopIteration) as end:
        flow.send(answer(**PROFILE))
    assert isinstance(end.value.value, Profile)


def test_a_limit_is_a_pause_and_the_same_request_again() -> None:
    flow = perform(state(), messages.send_message(to="general", topic="lunch", content="soup"))
    first = next(flow)
    step = flow.send(answer(429, code="RATE_LIMIT_HIT", **{"retry-after": 30}))
    assert isinstance(step, Pause)
    assert 30 <= step.seconds <= 31
    assert flow.send(None) == first


def test_a_change_of_unknown_outcome_is_not_sent_twice() -> None:
    here = state(reached=True)
    flow = perform(here, messages.delete_message(5))
    next(flow)
    with pytest.raises(Unreachable):
        flow.send(Failure(Unreachable("gone"), sent=True))
    flow = perform(here, messages.delete_message(5))
    next(flow)
    assert isinstance(flow.send(Failure(Unreachable("gone"), sent=False)), Pause)


def test_a_refused_key_is_read_again_and_the_call_made_with_the_newer_one() -> None:
    newer = Credentials(EMAIL, Secret(NEWER_KEY), SITE)
    here = state(read_anew=lambda: newer)
    flow = perform(here, accounts.get_profile())
    next(flow)
    step = flow.send(answer(401, msg="Invalid API key"))
    assert isinstance(step, CallFunction)
    again = flow.send(step.function())
    assert isinstance(again, Send)
    assert here.credentials == newer
    step = flow.send(answer(401, msg="Invalid API key"))
    assert isinstance(step, CallFunction)
    with pytest.raises(InvalidAPIKey):
        flow.send(step.function())


def test_a_newer_key_that_another_call_has_read_is_used_without_reading_again() -> None:
    here = state()
    flow = perform(here, accounts.get_profile())
    first = next(flow)
    here.credentials = Credentials(EMAIL, Secret(NEWER_KEY), SITE)
    again = flow.send(answer(401, msg="Invalid API key"))
    assert isinstance(first, Send)
    assert isinstance(again, Send)
    assert again.request.authorization != first.request.authorization


def test_patience_counts_tries_and_waiting() -> None:
    limited = RateLimited("too many", retry_after=40.0)
    patience = Patience(RetryPolicy(attempts=10, patience=90.0))
    assert patience.wait_after(limited, repeatable=False) is not None
    assert patience.wait_after(limited, repeatable=False) is not None
    assert patience.wait_after(limited, repeatable=False) is None


def test_only_repeatable_calls_are_repeated_after_a_failure() -> None:
    assert Patience(RetryPolicy()).wait_after(ServerFailed("broken"), repeatable=True) is not None
    assert Patience(RetryPolicy()).wait_after(ServerFailed("broken"), repeatable=False) is None


def test_waiting_gets_longer_up_to_its_limit() -> None:
    assert all(backoff(failures) <= 60.0 for failures in range(1, 2000))
    assert min(backoff(6) for _ in range(50)) > max(backoff(3) for _ in range(50))
