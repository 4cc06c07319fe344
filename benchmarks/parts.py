"""Where the time goes: the parts of a request, called in this process without a server in front of them."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import bare
from benchmarks.load import Credential
from benchmarks.messages import PEOPLE, TEXT
from benchmarks.population import CHANNEL, Population, populate
from benchmarks.rounds import Measured, Plan
from benchmarks.rows import COST, Row, row
from benchmarks.servers import POSTGRESQL, SQLITE, postgresql_server, temporary_directory
from benchmarks.users_me import ACCOUNTS, mistyped
from keybearer.server.app import Application
from keybearer.server.services import server_data
from keybearer.server.services.messaging.markdown import render
from keybearer.server.settings import Settings
from keybearer.server.storage import accounts
from keybearer.server.storage.verification import KeyVerifier

AT_ONCE = 8
"""Calls in progress at the same time, about as many as share one look-up on a busy server."""

_NO_LIMIT = "1000000000/minute"

Call = Callable[[], Awaitable[object]]


def measure(plan: Plan) -> list[Row]:
    """Measure the parts of `users/me`, of sending and of a statement."""
    with _settings() as settings:
        rows = asyncio.run(_verifying(plan, settings))
    with _settings() as settings:
        rows += asyncio.run(_sending(plan, settings))
        rows.append(asyncio.run(_statement(plan, settings, SQLITE)))
    with postgresql_server() as postgresql, _settings(postgresql.url(postgresql.create_database("template0"))) as found:
        asyncio.run(populate(found, PEOPLE))
        rows.append(asyncio.run(_statement(plan, found, POSTGRESQL)))
    return rows


async def _verifying(plan: Plan, settings: Settings) -> list[Row]:
    credentials = await populate(settings, Population(plan.some(ACCOUNTS)))
    random.Random(1).shuffle(credentials)
    keys = itertools.cycle(each.key for each in credentials)
    right = itertools.cycle(credentials)
    wrong = itertools.cycle([Credential(each.email, mistyped(each.key)) for each in credentials])
    async with server_data.opened(settings) as context:
        verifier = KeyVerifier(context.database, context.ring)
        looking = await _rounds(plan, lambda: verifier.verify(next(keys)))
    nothing = await _rounds(plan, lambda: _ask(bare.application, "GET", "users/me", next(right), status=200))
    application = Application(settings)
    async with application.running():
        asking = await _rounds(plan, lambda: _ask(application.answer, "GET", "users/me", next(right), status=200))
        refusing = await _rounds(plan, lambda: _ask(application.answer, "GET", "users/me", next(wrong), status=401))
    return [
        _part("`users/me`, called in the process", asking),
        _part("of it, looking up the key", looking),
        _part("a mistyped key, called in the process", refusing),
        _part("a bare request, called in the process", nothing),
    ]


async def _sending(plan: Plan, settings: Settings) -> list[Row]:
    senders = itertools.cycle((await populate(settings, PEOPLE))[: PEOPLE.followers])
    form = f"type=stream&to={CHANNEL}&topic=parts&content={TEXT.replace(' ', '+')}".encode()
    application = Application(settings)
    async with application.running():
        sending = await _rounds(
            plan, lambda: _ask(application.answer, "POST", "messages", next(senders), status=200, form=form)
        )

    async def rendering() -> None:
        render(TEXT)

    return [
        _part("sending, called in the process", sending),
        _part("of it, rendering the text", await _rounds(plan, rendering)),
    ]


async def _statement(plan: Plan, settings: Settings, database: str) -> Row:
    async with server_data.opened(settings) as context, context.reading() as connection:
        found = await _rounds(plan, lambda: accounts.find(connection, 1), at_once=1)
    return _part("a statement that finds one account, in an open transaction", found, database)


def _part(name: str, rounds: Sequence[Measured], database: str = SQLITE) -> Row:
    return row(name, database, COST, rounds)


async def _rounds(plan: Plan, call: Call, *, at_once: int = AT_ONCE) -> list[Measured]:
    """Calls of one kind for a while, several at once, after a first round that does not count."""
    found = []
    for _ in range(plan.rounds + 1):
        count, cpu, begun = 0, time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - begun) < plan.seconds / 4:
            await asyncio.gather(*(call() for _ in range(at_once)))
            count += at_once
        found.append(Measured(elapsed, [elapsed / count] * count, time.process_time() - cpu))
    return found[1:]


async def _ask(
    answer: bare.Application, method: str, path: str, caller: Credential, *, status: int, form: bytes = b""
) -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": form, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [
        (b"host", b"127.0.0.1"),
        (b"user-agent", b"keybearer-benchmark"),
        (b"accept", b"application/json"),
        (b"authorization", caller.authorization.encode()),
    ]
    if form:
        headers += [
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", b"%d" % len(form)),
        ]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": f"/api/v1/{path}",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await answer(scope, receive, send)
    if sent[0]["status"] != status:
        raise RuntimeError(f"{method} {path} was answered with {sent[0]['status']}")


@contextmanager
def _settings(url: str = "") -> Iterator[Settings]:
    with temporary_directory() as directory:
        yield Settings(
            data_dir=Path(directory) / "data", database_url=url, api_limit=_NO_LIMIT, failure_limit=_NO_LIMIT
        )
