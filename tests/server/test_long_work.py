"""Slow work leaves turns to others, and the queue for its thread is limited."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable

import pytest

from keybearer.server.domain.errors import Overloaded
from keybearer.server.domain.limits import MOST_LONG_WORK, MOST_LONG_WORK_OF_ONE
from keybearer.server.services.long_work import LongWork
from tests.asgi import FORM_TYPE, Answer, Headers, ask, by_key, by_session, form
from tests.in_process import PASSWORD, InProcessServer

LEET = "4@8({[<369&#!1|0$5+7%2" * 4


class Gate:
    """A job that runs until it is released, and records that it was done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._open = threading.Event()

    def wait(self) -> None:
        self._open.wait(60)

    def open(self) -> None:
        self._open.set()

    def note(self, name: str) -> None:
        self.done.append(name)


async def turns() -> None:
    """Let everything that was started run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_job_of_each_account_at_a_time_waits_for_the_thread() -> None:
    work, gate = LongWork(), Gate()
    first = asyncio.create_task(work.run(1, gate.wait))
    await turns()
    many = [asyncio.create_task(work.run(2, gate.note, f"many {number}")) for number in range(5)]
    await turns()
    other = asyncio.create_task(work.run(3, gate.note, "other"))
    await turns()
    gate.open()
    await asyncio.gather(first, other, *many)
    assert gate.done == ["many 0", "other", "many 1", "many 2", "many 3", "many 4"]


async def test_jobs_beyond_the_queue_are_refused_and_waiting_jobs_are_done() -> None:
    work, gate = LongWork(), Gate()
    tasks = [asyncio.create_task(work.run(1, gate.wait))]
    tasks += [asyncio.create_task(work.run(1, gate.note, "one")) for _ in range(MOST_LONG_WORK_OF_ONE - 1)]
    await turns()
    with pytest.raises(Overloaded):
        await work.run(1, gate.note, "too much of one")
    tasks += [
        asyncio.create_task(work.run(f"{each}", gate.note, "other")) for each in range(MOST_LONG_WORK - len(tasks))
    ]
    await turns()
    with pytest.raises(Overloaded):
        await work.run("another", gate.note, "too much of all")
    gate.open()
    await asyncio.gather(*tasks)
    assert len(gate.done) == MOST_LONG_WORK - 1
    await work.run(1, gate.note, "afterwards")
    assert gate.done[-1] == "afterwards"


async def test_too_much_work_for_one_account_is_answered_503_with_a_time_to_retry(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    who: Headers = {**by_key(hamlet.auth), "content-type": FORM_TYPE}
    text = form({"content": "![" * 1500})
    asked = [ask(server.app, "POST", "/api/v1/messages/render", who, text) for _ in range(4 * MOST_LONG_WORK_OF_ONE)]
    answers = await asyncio.gather(*asked)
    refused = [answer for answer in answers if answer.status != 200]
    assert {(answer.status, answer.headers["retry-after"]) for answer in refused} == {(503, "5")}
    assert json.loads(refused[0].body)["code"] == "SERVICE_UNAVAILABLE"
    assert len(answers) - len(refused) >= MOST_LONG_WORK_OF_ONE
    assert (await ask(server.app, "POST", "/api/v1/messages/render", who, text)).status == 200


async def turns_during(answer: Awaitable[Answer]) -> tuple[Answer, int]:
    """The answer, and how many turns the event loop gave to others in the meantime."""
    asked, count = asyncio.ensure_future(answer), 0
    while not asked.done():
        await asyncio.sleep(0)
        count += 1
    return asked.result(), count


async def test_a_long_message_password_or_form_lets_other_requests_run(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    who: Headers = {**by_key(hamlet.auth), "content-type": FORM_TYPE}
    browser: Headers = {**by_session(await server.signed_in(hamlet)), "content-type": FORM_TYPE}
    passwords = {"old_password": PASSWORD, "new_password1": LEET, "new_password2": LEET}
    asked = {
        "a message": ask(server.app, "POST", "/api/v1/messages/render", who, form({"content": "![" * 5000})),
        "a password": ask(server.app, "POST", "/settings/account/password/", browser, form(passwords)),
        "a form": ask(server.app, "POST", "/api/v1/messages/render", who, b"content=" + b"%" * 900_000),
    }
    for name, answer in asked.items():
        _, few = await turns_during(ask(server.app, "POST", "/api/v1/messages/render", who, form({"content": "a"})))
        _, many = await turns_during(answer)
        assert many > few + 100, name
