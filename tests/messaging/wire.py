"""Calls of the wire in tests, and their refusals."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from keybearer.errors import APIError
from keybearer.server.domain.accounts import EmailVisibility, Role
from keybearer.testing import Participant, Server
from tests.wire import described

_numbers = itertools.count(1)


def new_name(noun: str = "channel") -> str:
    """A name that no other test in the run uses."""
    return f"{noun} {next(_numbers)}"


def new_person(server: Server, role: Role = Role.MEMBER) -> Participant:
    """A person whose name and address no other test in the run uses."""
    number = next(_numbers)
    return server.add_person(f"Person {number}", email=f"person{number}@example.com", role=role)


def call(who: Participant, method: str, path: str, **parameters: Any) -> dict[str, Any]:
    """One call as somebody. Returns the answer, which matches the document."""
    answer: dict[str, Any] = who.client.request(method, path, parameters)
    described.check(method, f"/api/v1/{path}", answer)
    return answer


def refusal(who: Participant, method: str, path: str, **parameters: Any) -> APIError:
    """One call that must be refused. Returns the refusal."""
    with pytest.raises(APIError) as caught:
        call(who, method, path, **parameters)
    return caught.value


def zulip_message(error: APIError) -> str:
    """Zulip's words in a refusal."""
    return str(error.answer["msg"])


def events_of(who: Participant, queue_id: str, after: int = -1) -> list[dict[str, Any]]:
    """A queue's events, without waiting."""
    found: list[dict[str, Any]] = call(who, "GET", "events", queue_id=queue_id, last_event_id=after, dont_block=True)[
        "events"
    ]
    return found


def register(who: Participant, **options: Any) -> str:
    """A new queue. Returns its id."""
    queue_id: str = call(who, "POST", "register", fetch_event_types=["message"], **options)["queue_id"]
    return queue_id


def shape(error: APIError, *named: object) -> tuple[object, ...]:
    """Everything in a refusal except the names that the caller sent. Refusals with the same shape cannot be
    distinguished.
    """
    answer = dict(error.answer)
    text = repr(sorted(answer.items()))
    for each in named:
        text = text.replace(str(each), "…")
    return error.status, error.code, text


def make_channel(maker: Participant, name: str, *others: Participant, is_private: bool = False) -> int:
    """A channel that its creator and these accounts follow. Returns its id."""
    ids = [maker.id, *(each.id for each in others)]
    call(
        maker, "POST", "users/me/subscriptions", subscriptions=[{"name": name}], principals=ids, invite_only=is_private
    )
    channel_id: int = call(maker, "GET", "get_stream_id", stream=name)["stream_id"]
    return channel_id


def remove_subscriber(owner: Participant, who: Participant, channel: str) -> None:
    """An administrator who follows a channel ends somebody's subscription to it."""
    call(owner, "DELETE", "users/me/subscriptions", subscriptions=[channel], principals=[who.id])


def give_role(owner: Participant, who: Participant, role: Role) -> None:
    """The owner changes somebody's role."""
    call(owner, "PATCH", f"users/{who.id}", role=role.value)


def hide_address(who: Participant, shown_to: EmailVisibility = EmailVisibility.NOBODY) -> None:
    """Somebody chooses who sees their address."""
    call(who, "PATCH", "settings", email_address_visibility=shown_to.value)
