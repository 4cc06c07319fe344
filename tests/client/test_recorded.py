"""Recorded answers of a real Zulip server of feature level 372. Each test runs with both clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keybearer import Credentials, errors
from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.models.base import Answer
from keybearer.secret import Secret
from tests.client.callers import Opener
from tests.client.scripted_server import Reply, ScriptedServer

RECORDED: list[dict[str, Any]] = json.loads(Path(__file__).with_name("recorded_answers.json").read_text())["answers"]

NAMED: dict[str, dict[str, Any]] = {"get_events": {"queue_id": "1:2"}}


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["name"])
def test_recorded_answers_of_a_real_server_are_read_correctly(
    open_client: Opener, server: ScriptedServer, credentials: Credentials, recorded: dict[str, Any]
) -> None:
    server.otherwise = Reply(recorded["status"], json=recorded["answer"], headers=recorded["headers"])
    call = getattr(open_client(credentials, retry=RetryPolicy(attempts=1)), recorded["call"])
    arguments, named = recorded["arguments"], NAMED.get(recorded["call"], {})
    if recorded["status"] < 400:
        result = call(*arguments, **named)
        assert type(result).__name__ == recorded["expected"]
        assert isinstance(result, Answer | Secret)
        assert "A" * 32 not in repr(result)
        assert "B" * 32 not in repr(result)
        return
    expected = getattr(errors, recorded["expected"])
    with pytest.raises(expected) as caught:
        call(*arguments, **named)
    assert type(caught.value) is expected
    assert caught.value.message.startswith(recorded["answer"]["msg"].rstrip("."))
    if isinstance(caught.value, errors.RateLimited):
        assert caught.value.retry_after == recorded["answer"]["retry-after"]
