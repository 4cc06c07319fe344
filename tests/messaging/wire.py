"""Calls of the wire as tests make them, and refusals as they come."""

from __future__ import annotations

from typing import Any

import pytest

from keybearer.errors import APIError
from keybearer.testing import Participant


def call(who: Participant, method: str, path: str, **parameters: Any) -> dict[str, Any]:
    """One call as somebody; returns the answer."""
    answer: dict[str, Any] = who.client.request(method, path, parameters)
    return answer


def refusal(who: Participant, method: str, path: str, **parameters: Any) -> APIError:
    """One call that must be refused; returns the refusal."""
    with pytest.raises(APIError) as caught:
        call(who, method, path, **parameters)
    return caught.value


def said(error: APIError) -> str:
    """Zulip's words in a refusal."""
    return str(error.answer["msg"])


def events_of(who: Participant, queue_id: str, after: int = -1) -> list[dict[str, Any]]:
    """What a queue has, without waiting."""
    found: list[dict[str, Any]] = call(who, "GET", "events", queue_id=queue_id, last_event_id=after, dont_block=True)[
        "events"
    ]
    return found


def register(who: Participant, **options: Any) -> str:
    """A new queue; returns its id."""
    queue_id: str = call(who, "POST", "register", fetch_event_types=["message"], **options)["queue_id"]
    return queue_id
