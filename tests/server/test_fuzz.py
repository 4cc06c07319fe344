"""Odd requests of every kind to every route: each gets an answer of its door, and none causes a server error."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from keybearer.server.domain.errors import Refused
from tests.asgi import Headers, by_key, by_session
from tests.in_process import InProcessServer, prepared, serving
from tests.server.fuzzer import Fuzzer, check
from tests.server.questions import FILES, KINDS, fill, page_questions, wire_questions

UNLIMITED = "10000000/minute"
ROUND = 100
"""Requests of one group of callers. Some end their caller, so other callers follow."""


async def callers(server: InProcessServer, word: str) -> dict[str, Headers]:
    """An anonymous caller, and one of each kind by key and by session."""
    found: dict[str, Headers] = {"nobody": {}}
    for kind, (role, bot_type) in KINDS.items():
        known = await server.add_person(f"{kind.split()[0]}-{word}", role)
        if bot_type is None:
            found[f"{kind} by session"] = by_session(await server.signed_in(known))
            found[f"{kind} by key"] = by_key(known.auth)
            continue
        with contextlib.suppress(Refused):  # an odd request may have set the policy to forbid bots
            bot = await server.add_bot(known, f"{kind.split()[0]}-{word}", bot_type)
            found[f"{kind} by key"] = by_key(bot.auth)
    return found


async def ask_oddly(directory: Path, database_url: str, seed: int, requests: int) -> None:
    chance = random.Random(seed)
    settings = prepared(directory, database_url=database_url, api_limit=UNLIMITED, failure_limit=UNLIMITED)
    async with serving(settings) as server:
        who = await callers(server, "first")
        owner = await server.known("owner-first@example.com")
        await fill(server, owner)
        questions = [*wire_questions(), *await page_questions(server, owner, {}), *FILES]
        for number in range(requests):
            if number % ROUND == ROUND - 1:
                who = await callers(server, f"round-{number}")
            odd = Fuzzer(chance, questions, who).request()
            try:
                check(odd, await odd.send(server))
            except BaseException as error:
                error.add_note(f"seed {seed}, request {number}: {odd}")
                raise


async def test_a_thousand_odd_requests_on_each_database_are_answered_in_kind(tmp_path: Path, database_url: str) -> None:
    await ask_oddly(tmp_path / "data", database_url, 13, 1000)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(2))
async def test_ten_thousand_odd_requests_on_each_database_are_answered_in_kind(
    tmp_path: Path, database_url: str, part: int
) -> None:
    await ask_oddly(tmp_path / "data", database_url, random.SystemRandom().randrange(10**9) + part, 5000)
