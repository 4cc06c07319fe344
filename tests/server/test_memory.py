"""What a worker keeps of requests does not grow with the accounts that send them, or with what they ask for."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence

from tests.asgi import ask, by_key
from tests.in_process import InProcessServer, Known

PEOPLE = 12
MOST_KEPT = 300
"""Objects that a worker may keep for each account: its limits and last uses."""


def narrows(number: int) -> Sequence[object]:
    """Narrows that nobody else asks for: usual ones with other operands, and others of any length."""
    words = " ".join(f"word{each}" for each in range(number % 9))
    return [
        [],
        [["topic", f"topic {number}"]],
        [["sender", number]],
        [["channel", "general"], ["topic", f"topic {number}"]],
        [["search", f"one{number}"]],
        [["search", f"{words} last{number}"]],
        [["is", "starred"], ["has", "link"], ["search", words or "x"]],
        [{"operator": "is", "operand": "unread", "negated": bool(number >> place & 1)} for place in range(5)],
        [["id", number + each] for each in range(number)],
    ]


async def read(server: InProcessServer, who: Known, number: int) -> None:
    for narrow in narrows(number):
        path = f"/api/v1/messages?anchor=newest&num_before=5&num_after=5&narrow={json.dumps(narrow)}"
        answer = await ask(server.app, "GET", path.replace(" ", "%20").replace('"', "%22"), by_key(who.auth))
        assert answer.status in (200, 400), answer.body


def kept() -> int:
    gc.collect()
    return len(gc.get_objects())


async def test_reading_messages_leaves_nothing_that_grows_with_accounts_and_narrows(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    people = [await server.add_person(f"reader{number}") for number in range(PEOPLE + 2)]
    for number, who in enumerate(people[:2]):
        await read(server, who, number)
    before = kept()
    for number, who in enumerate(people[2:], start=2):
        await read(server, who, number)
    assert kept() - before < PEOPLE * MOST_KEPT
