"""The recorded questions, put to the server in order. Every difference is listed with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.in_process import prepared, serving
from tests.wire.differences import DIFFERENCES, LEFT_OUT
from tests.wire.exchanges import Exchange, load
from tests.wire.play import DOMAIN, Play
from tests.wire.steps import BEFORE

Found = Mapping[str, Mapping[str, tuple[object, object]]]

EXCHANGES = [exchange for exchange in load() if not any(fnmatchcase(exchange.name, pattern) for pattern in LEFT_OUT)]


async def play(exchanges: list[Exchange], directory: Path, template: Path, *, development: bool) -> Found:
    """Ask the questions and compare the answers: exchange → field → recorded, ours."""
    settings = prepared(directory, template, development=development)
    scheme = "http" if development else "https"
    found: dict[str, Mapping[str, tuple[object, object]]] = {}
    async with serving(settings, site=f"{scheme}://{DOMAIN}") as server:
        stage = Play(server)
        await stage.cast()
        for exchange in exchanges:
            if exchange.name in BEFORE:
                await BEFORE[exchange.name](stage)
            response = await stage.ask(exchange)
            found[exchange.name] = await stage.differences(exchange, response)
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Found:
    """The differences for every question. Questions that only a development server answers are put to one."""

    async def both() -> Found:
        directory = tmp_path_factory.mktemp("wire")
        ordinary = [exchange for exchange in EXCHANGES if not exchange.name.startswith("development-")]
        others = [exchange for exchange in EXCHANGES if exchange.name.startswith("development-")]
        first = await play(ordinary, directory / "production", sqlite_template, development=False)
        second = await play(others, directory / "development", sqlite_template, development=True)
        return {**first, **second}

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, both()).result()


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_answers_equal_the_recorded_ones_except_for_listed_differences(found: Found, exchange: Exchange) -> None:
    unexplained = {
        field: values
        for field, values in found[exchange.name].items()
        if not any(difference.covers(exchange.name, field) for difference in DIFFERENCES)
    }
    assert unexplained == {}


def test_every_listed_difference_still_exists(found: Found) -> None:
    needless = [
        difference
        for difference in DIFFERENCES
        if not any(difference.covers(name, field) for name, fields in found.items() for field in fields)
    ]
    assert needless == []
