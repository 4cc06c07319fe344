"""Any response becomes an answer or a typed error, and no error shows a secret. Without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer import Secret
from keybearer.client.flow.responses import DEFAULT_WAIT, CallContext, judge, retry_after
from keybearer.client.flow.steps import Response
from keybearer.client.models.api_keys import APIKey, NewAPIKey
from keybearer.errors import ClientError

KEY = "kbAAAAAAAAAAAAAAAAAAAAAAAA3zSVTW"
ASKED = CallContext("POST", "messages", "https://chat.example.com", "hamlet@example.com", (Secret(KEY),))

STATUSES = st.sampled_from([200, 201, 204, 304, 400, 401, 403, 404, 405, 407, 418, 429, 500, 502, 503, 599])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(KEY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just(KEY), inner, max_size=3),
    max_leaves=8,
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "result": st.sampled_from(["success", "error", "partially_completed", 3, None]),
        "msg": VALUES,
        "code": VALUES,
        "retry-after": VALUES,
    },
)


@given(STATUSES, st.binary())
def test_any_bytes_are_an_answer_or_a_typed_error(status: int, body: bytes) -> None:
    outcome = judge(Response(status, {}, body), ASKED)
    assert isinstance(outcome, dict | ClientError)


@given(STATUSES, ENVELOPES, st.dictionaries(st.just("retry-after"), st.text()))
def test_any_envelope_is_an_answer_or_a_typed_error_without_the_secret(
    status: int, envelope: dict[str, Any], headers: dict[str, str]
) -> None:
    outcome = judge(Response(status, headers, json.dumps(envelope).encode()), ASKED)
    if isinstance(outcome, ClientError):
        assert KEY not in f"{outcome!s} {outcome!r} {vars(outcome)!r}"
    else:
        assert status < 400
        assert outcome["result"] != "error"


@pytest.mark.parametrize(
    ("told", "headers", "seconds"),
    [
        (57.5, {"retry-after": "3"}, 57.5),
        (None, {"retry-after": "3"}, 3.0),
        (None, {"retry-after": "2.5"}, 2.5),
        (None, {"retry-after": "-4"}, 0.0),
        (
            None,
            {"retry-after": "Mon, 23 Nov 2026 10:01:00 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"},
            60.0,
        ),
        (None, {"retry-after": "Mon, 23 Nov 2026 10:01:00 GMT"}, DEFAULT_WAIT),
        (None, {"retry-after": "soon"}, DEFAULT_WAIT),
        (float("inf"), {}, DEFAULT_WAIT),
        ("nan", {}, DEFAULT_WAIT),
        (None, {}, DEFAULT_WAIT),
    ],
)
def test_the_wait_is_as_long_as_the_server_asks(told: object, headers: dict[str, str], seconds: float) -> None:
    assert retry_after(Response(429, headers, b""), {"retry-after": told}) == seconds


def test_answers_are_equal_if_their_fields_are_whatever_else_was_sent() -> None:
    sent = {"id": 1, "name": "script", "scopes": ["read"], "is_account_key": False, "created_at": 1, "networks": []}
    one, same = APIKey.parse(sent), APIKey.parse({**sent, "of_a_later_version": 1})
    other = APIKey.parse({**sent, "name": "other"})
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != NewAPIKey.parse({"id": 1, "api_key": KEY})
    assert len({one, same, other}) == 2


def test_an_answer_shows_its_fields_without_secrets() -> None:
    new = NewAPIKey.parse({"id": 7, "api_key": KEY})
    assert repr(new).startswith("NewAPIKey(id=7, api_key=")
    assert KEY not in repr(new)
