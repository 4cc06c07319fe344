"""Calls about event queues. `events()` of the clients makes these calls for you."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keybearer.client import models
from keybearer.client.operations.arguments import Seconds
from keybearer.client.operations.narrows import Narrow, as_pairs
from keybearer.client.operations.operation import Operation

PATHS = frozenset({"register", "events"})
"""The endpoints, which every Zulip server has."""

LONG_POLL = 100.0
"""Seconds to wait for events. Servers send a heartbeat about every 50, and hold no poll longer than 90."""


def register(
    event_types: Sequence[str] | None = None,
    narrow: Narrow | None = None,
    **options: Any,  # noqa: ANN401 - whatever else the server takes
) -> Operation[models.Queue]:
    """Open an event queue, for all events or some types. Options are Zulip's: `fetch_event_types`,
    `all_public_streams`, `apply_markdown`, …
    """
    parameters = {"event_types": event_types, "narrow": as_pairs(narrow), **options}
    return Operation("POST", "register", models.Queue.parse, parameters)


def get_events(
    *,
    queue_id: str,
    last_event_id: int = -1,
    timeout: Seconds | None = None,
    **options: Any,  # noqa: ANN401 - whatever else the server takes
) -> Operation[models.Events]:
    """The events after `last_event_id`. Waits for one, unless `dont_block=True`; `timeout` is in seconds.

    Raises EventQueueLost if the server no longer has the queue.
    """
    parameters = {"queue_id": queue_id, "last_event_id": last_event_id, **options}
    return Operation("GET", "events", models.Events.parse, parameters, timeout=timeout or LONG_POLL)


def deregister(queue_id: str, timeout: Seconds | None = None) -> Operation[models.Answer]:
    """Close an event queue."""
    return Operation("DELETE", "events", models.Answer.parse, {"queue_id": queue_id}, timeout=timeout)
