"""An event queue like Zulip's, for the scripted server: register, poll, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.client.scripted_server import Reply, Seen, error, success


class ZulipQueue:
    """Answers `register` and `events`. Each entry of `polls` is the result of one poll: events, or a whole reply."""

    def __init__(self, *polls: list[dict[str, Any]] | Reply | Callable[[Seen], Reply]) -> None:
        self.polls = list(polls)
        self.registrations: list[dict[str, str]] = []
        self.deleted: list[str] = []
        self.polled: list[dict[str, str]] = []

    def __call__(self, seen: Seen) -> Reply:
        if (seen.method, seen.path) == ("POST", "/api/v1/register"):
            self.registrations.append(seen.form)
            return success(queue_id=f"q{len(self.registrations)}", last_event_id=-1)
        if (seen.method, seen.path) == ("DELETE", "/api/v1/events"):
            self.deleted.append(seen.form["queue_id"])
            return success()
        if (seen.method, seen.path) == ("GET", "/api/v1/events"):
            self.polled.append(seen.query)
            return self._poll(seen)
        return error(404, "No such path")

    def _poll(self, seen: Seen) -> Reply:
        if not self.polls:
            return error(401, "Invalid API key", "UNAUTHORIZED")
        what = self.polls.pop(0)
        if isinstance(what, list):
            return success(events=what, queue_id=seen.query["queue_id"])
        return what if isinstance(what, Reply) else what(seen)


def message_event(number: int, content: str = "hello") -> dict[str, Any]:
    message = {
        "id": 100 + number,
        "type": "stream",
        "content": content,
        "sender_id": 8,
        "sender_email": "iago@example.com",
        "subject": "lunch",
        "display_recipient": "general",
    }
    return {"id": number, "type": "message", "message": message, "flags": []}


HEARTBEAT = {"type": "heartbeat"}


def heartbeat(number: int) -> dict[str, Any]:
    return {**HEARTBEAT, "id": number}


LOST = error(400, "Bad event queue ID: q1", "BAD_EVENT_QUEUE_ID", queue_id="q1")
