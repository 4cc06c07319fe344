"""Work grows no faster than its input, and the size of answers is limited. Work is counted, never timed."""

from __future__ import annotations

import cProfile
import random
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from sqlalchemy import Engine, event

from keybearer.server.domain.accounts import Role
from tests.asgi import Answer, Headers, ask_raw, by_key, by_session
from tests.in_process import InProcessServer, Known, prepared, serving
from tests.server.questions import Question, fill, page_questions, wire_questions
from tests.server.shapes import TEXTS, VALUES

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNLIMITED = "10000000/minute"
SMALL, LARGE = 10_000, 100_000
GROWTH = 12
"""How much more work ten times the input may cause."""

FREE_CALLS = 30_000
"""Function calls that do not count: the cost of a request whose small form was refused at once."""

FREE_STATEMENTS = 40
MOST_SENT_BACK = 2_000_000
"""The largest answer to any question here, in bytes."""

SHAPES = {**TEXTS, **VALUES}


@dataclass
class Work:
    """The cost of a request: function calls in all threads, statements, and bytes that were sent back."""

    calls: int = 0
    statements: int = 0
    sent_back: int = 0


class Counting:
    """A server, its owner, and the work that it does for them."""

    def __init__(self, server: InProcessServer) -> None:
        self.server = server
        self.work = Work()
        self._owners = 0

    async def add_owner(self) -> None:
        """Add an owner who has not yet done anything that ends a key or uses up a limit."""
        self._owners += 1
        self.owner: Known = await self.server.add_person(f"owner-{self._owners}", Role.OWNER)
        self.by_session: Headers = by_session(await self.server.signed_in(self.owner))

    async def ask(self, question: Question, name: str, value: str) -> Answer:
        """The answer to a question with one parameter set to that value, and the others as usual."""
        who = by_key(self.owner.auth) if question.by_key else self.by_session
        fields = question.good() | {name: value}
        if question.path.endswith("/events") and name != "dont_block":
            fields["dont_block"] = "true"
        text = "&".join(f"{key}={quote(each, safe='', errors='surrogatepass')}" for key, each in fields.items())
        headers = [(key.encode(), each.encode()) for key, each in who.items()]
        headers += [(b"host", b"localhost:9991"), (b"content-type", b"application/x-www-form-urlencoded")]
        scope: dict[str, Any] = {"method": question.method, "path": question.filled(), "headers": headers}
        is_shown = question.method == "GET"
        scope["query_string"] = text.encode() if is_shown else b""
        self.work = Work()
        profile = cProfile.Profile()  # counts in C, several times faster than a function that is called for each call
        profile.enable()
        try:
            answer = await ask_raw(self.server.app, scope, b"" if is_shown else text.encode())
        finally:
            profile.disable()
        self.work.calls += sum(entry.callcount for entry in profile.getstats())
        self.work.sent_back = len(answer.body)
        return answer

    def note_call_of_thread(self, _frame: FrameType, kind: str, _argument: object) -> None:
        """The signature that `threading.setprofile` requires."""
        if kind in ("call", "c_call"):
            self.work.calls += 1

    def note_statement(self, *_arguments: object) -> None:
        """The signature that SQLAlchemy requires."""
        self.work.statements += 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counting(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> AsyncIterator[Counting]:
    """One server for all questions."""
    directory = tmp_path_factory.mktemp("growth") / "data"
    settings = prepared(directory, sqlite_template, api_limit=UNLIMITED, failure_limit=UNLIMITED)
    async with serving(settings) as server:
        counting = Counting(server)
        await counting.add_owner()
        await fill(server, counting.owner)
        threading.setprofile(counting.note_call_of_thread)
        event.listen(Engine, "before_cursor_execute", counting.note_statement)
        try:
            yield counting
        finally:
            event.remove(Engine, "before_cursor_execute", counting.note_statement)
            threading.setprofile(None)


async def questions_of(counting: Counting) -> list[Question]:
    """Every endpoint by key, and every page, that has a parameter."""
    pages = await page_questions(counting.server, counting.owner, {"account_id": counting.owner.id})
    return [each for each in (*(q for q in wire_questions() if q.by_key), *pages) if each.names]


async def check(counting: Counting, question: Question, name: str, shape: str) -> None:
    """Fail if ten times the input costs far more than ten times the work, or if much is sent back."""
    small_answer = await counting.ask(question, name, SHAPES[shape](SMALL))
    small = counting.work
    answer = await counting.ask(question, name, SHAPES[shape](LARGE))
    large = counting.work
    what = f"{question.method} {question.path} {name}: {shape}; {small} and {large}; {answer.message[:200]}"
    assert small_answer.status < 500, what
    assert answer.status < 500, what
    assert large.calls <= GROWTH * small.calls + FREE_CALLS, what
    assert large.statements <= small.statements + FREE_STATEMENTS, what
    assert max(small.sent_back, large.sent_back) <= MOST_SENT_BACK, what
    if 401 in (answer.status, small_answer.status):
        await counting.add_owner()


async def test_ten_times_the_input_costs_at_most_about_ten_times_the_work(counting: Counting) -> None:
    chance = random.Random(13)
    questions = await questions_of(counting)
    for question in chance.sample(questions, len(questions) // 2):
        await check(counting, question, chance.choice(question.names), chance.choice(list(SHAPES)))


@pytest.mark.soak
async def test_no_shape_in_any_parameter_costs_more_than_proportional_work(counting: Counting) -> None:
    faults = []
    for question in await questions_of(counting):
        for name in question.names:
            for shape in random.sample(list(SHAPES), 3) if name in question.scalars else SHAPES:
                try:
                    await check(counting, question, name, shape)
                except AssertionError as fault:
                    faults.append(str(fault).splitlines()[0])
    assert not faults
