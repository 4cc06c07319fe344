"""Limits on calls and on failed keys: they turn an answer into a 429, and never refuse a valid key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.domain.attempts import Window, judge
from keybearer.server.domain.errors import TooManyAttempts
from keybearer.server.domain.limits import CALLS_OF_BOTS, SEARCHES
from keybearer.server.http.limits import MovingWindow
from keybearer.server.web.door import PAGES_AT_ONCE
from tests.in_process import InProcessServer, Known, prepared, serving

WRONG = ("nobody@example.com", "a" * 32)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
async def strict(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[InProcessServer]:
    """A server that allows few calls and fewer failures."""
    settings = prepared(tmp_path / "data", sqlite_template, api_limit="4/minute", failure_limit="3/minute")
    async with serving(settings) as server:
        yield server


async def test_calls_are_counted_for_an_account_and_the_headers_say_what_is_left(strict: InProcessServer) -> None:
    hamlet, othello = await strict.add_person("hamlet"), await strict.add_person("othello")
    answers = [await strict.client().get("/api/v1/users/me", auth=hamlet.auth) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["3", "2", "1", "0", "0", "0"]
    limited = answers[-1]
    assert limited.headers["x-ratelimit-limit"] == "4"
    body = limited.json()
    assert body == {
        "result": "error",
        "msg": "API usage exceeded rate limit",
        "retry-after": body["retry-after"],
        "code": "RATE_LIMIT_HIT",
    }
    assert limited.headers["retry-after"] == str(body["retry-after"])
    assert 0 < body["retry-after"] <= 60
    assert (await strict.client().get("/api/v1/users/me", auth=othello.auth)).status_code == 200


async def test_sessions_and_keys_of_an_account_are_counted_together(strict: InProcessServer) -> None:
    hamlet = await strict.add_person("hamlet")
    browser = await strict.signed_in(hamlet)
    for _ in range(2):
        await browser.get("/json/users/me")
        await strict.client().get("/api/v1/users/me", auth=hamlet.auth)
    assert (await browser.get("/json/users/me")).status_code == 429


async def test_the_bots_of_one_owner_are_counted_together_and_not_with_those_of_others(strict: InProcessServer) -> None:
    hamlet, othello = await strict.add_person("hamlet"), await strict.add_person("othello")
    bots = [await strict.add_bot(hamlet, f"bot{number}") for number in range(CALLS_OF_BOTS + 1)]
    others = await strict.add_bot(othello, "others")

    async def status(who: Known) -> int:
        return (await strict.client().get("/api/v1/users/me", auth=who.auth)).status_code

    of_each = [[await status(bot) for _ in range(4)] for bot in bots]
    assert of_each == [[200] * 4] * CALLS_OF_BOTS + [[429] * 4]
    assert [await status(who) for who in (hamlet, others)] == [200, 200]


async def test_forms_of_an_account_are_counted_but_not_those_for_keys_and_not_its_calls(
    strict: InProcessServer,
) -> None:
    hamlet, othello = await strict.add_person("hamlet"), await strict.add_person("othello")
    for _ in range(4):
        await strict.client().get("/api/v1/users/me", auth=hamlet.auth)
    browser, other = await strict.signed_in(hamlet), await strict.signed_in(othello)

    answers = [await browser.post("/settings/account/name/", data={"full_name": "Hamlet"}) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [303] * 4 + [429]
    assert float(answers[-1].headers["retry-after"]) > 0
    assert "Try again in a minute" in answers[-1].text
    assert (await browser.get("/settings/account/")).status_code == 200
    assert (await browser.post("/settings/account/api-key/", data={"password": "wrong"})).status_code == 400
    assert (await other.post("/settings/account/name/", data={"full_name": "Othello"})).status_code == 303


async def test_a_page_waits_for_one_of_each_person_and_not_for_all_of_one(server: InProcessServer) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    busy, other = await server.signed_in(hamlet), await server.signed_in(othello)
    answered: list[str] = []

    async def look(browser: httpx2.AsyncClient, name: str) -> None:
        assert (await browser.get("/settings/account/")).status_code == 200
        answered.append(name)

    async with asyncio.TaskGroup() as tasks:
        for number in range(40):
            tasks.create_task(look(busy, f"one of many {number}"))
        await asyncio.sleep(0)
        tasks.create_task(look(other, "the only one"))
    assert answered.index("the only one") < 3


async def test_pages_of_one_person_that_wait_for_a_search_of_that_person_leave_turns_to_others(
    server: InProcessServer,
) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    searching, other = await server.signed_in(hamlet), await server.signed_in(othello)
    front_door = server.app._front_door
    assert front_door is not None
    async with front_door._context.searches.turn(hamlet.id), asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(searching.get("/messages/?sent")) for _ in range(2 * PAGES_AT_ONCE)]
        await asyncio.sleep(0.1)
        answer = await asyncio.wait_for(other.get("/messages/"), 20)
        for each in waiting:
            each.cancel()
    assert answer.status_code == 200


async def test_pages_of_many_people_that_wait_for_others_searches_leave_turns_to_everybody(
    server: InProcessServer,
) -> None:
    people = [await server.add_person(f"searcher{number}") for number in range(2 * PAGES_AT_ONCE)]
    other = await server.signed_in(await server.add_person("othello"))
    front_door = server.app._front_door
    assert front_door is not None
    searches = front_door._context.searches
    async with AsyncExitStack() as searching, asyncio.TaskGroup() as tasks:
        for number in range(SEARCHES):
            await searching.enter_async_context(searches.turn(f"long search {number}"))
        waiting = [tasks.create_task((await server.signed_in(each)).get("/messages/?sent")) for each in people]
        await asyncio.sleep(0.1)
        answer = await asyncio.wait_for(other.get("/messages/"), 20)
        assert not any(each.done() for each in waiting)
        await searching.aclose()
    assert answer.status_code == 200
    assert {each.result().status_code for each in waiting} == {200}


async def test_failed_keys_are_limited_by_address_but_a_valid_key_from_there_is_not(strict: InProcessServer) -> None:
    hamlet = await strict.add_person("hamlet")
    answers = [await strict.client().get("/api/v1/users/me", auth=WRONG) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
    limited = answers[-1].json()
    assert limited["code"] == "RATE_LIMIT_HIT"
    assert limited["msg"] == "API usage exceeded rate limit: Invalid API key"
    assert limited["refusal"] == "Invalid API key"
    assert (await strict.client().get("/api/v1/users/me", auth=hamlet.auth)).status_code == 200
    elsewhere = await strict.client(address="203.0.113.9").get("/api/v1/users/me", auth=WRONG)
    assert elsewhere.status_code == 401


async def test_one_failed_key_too_many_at_a_file_is_answered_as_everywhere(strict: InProcessServer) -> None:
    answers = [
        await strict.client().get("/user_uploads/1/x/y", auth=("hamlet@example.com", "k" * 32)) for _ in range(9)
    ]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert float(answers[-1].headers["retry-after"]) > 0


async def test_repeated_bad_keys_from_one_address_are_one_line_in_the_log(
    strict: InProcessServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(9):
        await strict.client().get("/api/v1/users/me", auth=WRONG)
    lines = [record for record in caplog.records if "keys are refused" in record.getMessage()]
    assert len(lines) == 1
    assert WRONG[1] not in caplog.text


async def test_a_limited_account_with_a_wrong_key_is_told_about_the_key(strict: InProcessServer) -> None:
    hamlet = await strict.add_person("hamlet")
    for _ in range(5):
        await strict.client().get("/api/v1/users/me", auth=hamlet.auth)
    response = await strict.client().get("/api/v1/users/me", auth=(hamlet.email, "b" * 32))
    assert response.json()["msg"] == "Invalid API key"


async def test_both_limits_of_an_answer_are_reported_as_one(strict: InProcessServer) -> None:
    browser = await strict.signed_in(await strict.add_person("hamlet"))
    response = await browser.post("/json/fetch_api_key", data={"password": "wrong"})
    assert (response.headers["x-ratelimit-limit"], response.headers["x-ratelimit-remaining"]) == ("4", "3")


def test_a_window_counts_each_key_separately() -> None:
    window = MovingWindow(2, 60.0)
    assert [window.count("one").remaining for _ in range(2)] == [1, 0]
    with pytest.raises(TooManyAttempts) as refused:
        window.count("one")
    assert 0 < refused.value.retry_after <= 60
    assert window.count("other").remaining == 1


def test_a_window_forgets_calls_that_are_too_old() -> None:
    window = MovingWindow(1, 0.0)
    for key in ("one", "one", "other"):
        assert window.count(key).remaining == 0


WINDOWS = st.lists(
    st.builds(Window, st.integers(1, 6), st.integers(1, 600).map(lambda seconds: timedelta(seconds=seconds))),
    min_size=1,
    max_size=3,
)


@given(WINDOWS, st.lists(st.integers(0, 900), max_size=12))
def test_an_attempt_is_allowed_exactly_if_every_window_has_room(windows: list[Window], ages: list[int]) -> None:
    times = sorted(NOW - timedelta(seconds=age) for age in ages)
    verdict = judge(windows, times, NOW)
    full = [window for window in windows if sum(at > NOW - window.within for at in times) >= window.most]
    assert verdict.allowed is not bool(full)
    assert 0 <= verdict.quota.remaining < verdict.quota.limit
    later = judge(windows, times, NOW + verdict.wait)
    assert later.allowed
    assert verdict.allowed is (verdict.wait == timedelta(0))
