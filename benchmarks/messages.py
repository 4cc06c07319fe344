"""Sending, reading, regenerating, registering and signing in, on both databases."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import argon2
from tests.databases import PostgreSQLServer

from benchmarks.commits import postgresql_commits, sqlite_commits
from benchmarks.load import Connection, Credential, Load, content, request
from benchmarks.population import CHANNEL, PASSWORD, Population, password_hash
from benchmarks.rounds import Measured, Plan, in_turns, repeated
from benchmarks.rows import COST, P50, P99, RATE, Figure, Row, Target, at_least, at_most, row
from benchmarks.servers import (
    POSTGRESQL,
    SQLITE,
    Installation,
    bare_server,
    installation,
    postgresql_server,
    temporary_directory,
)

CONNECTIONS = 8
PEOPLE = Population(accounts=100, followers=10)
READ = 100
TEXT = "A message of the benchmark, with two sentences. It has one **bold** word."

Side = Callable[[], Measured]


def measure(plan: Plan) -> list[Row]:
    """Measure on SQLite and on PostgreSQL, where the targets are half as high."""
    with postgresql_server() as postgresql:
        return [*_measure(plan, None), *_measure(plan, postgresql)]


def _measure(plan: Plan, postgresql: PostgreSQLServer | None) -> list[Row]:
    database = SQLITE if postgresql is None else POSTGRESQL
    with ExitStack() as stack:
        one, two, reading = (
            stack.enter_context(installation(PEOPLE, postgresql=postgresql, workers=workers)) for workers in (1, 2, 1)
        )
        size = _fill(reading)
        loads = {
            "sending": _load(one, [_message(each) for each in _followers(one)]),
            "sending, two workers": _load(two, [_message(each) for each in _followers(two)]),
            "regenerating": Load(one.server, _regenerations(one), connections=1, follow=_with_new_key),
            "reading": _load(reading, [_read(each) for each in _followers(reading)]),
            "registering": _load(reading, [request("POST", "register", each) for each in reading.credentials]),
            "server_settings": _load(reading, [request("GET", "server_settings")]),
            "fetch_api_key": _load(reading, [_sign_in(each) for each in reading.credentials]),
            "bare": Load(
                stack.enter_context(bare_server()), [request("GET", "server_settings")], connections=CONNECTIONS
            ),
        }
        sides = _yardsticks(stack, plan, postgresql)
        for name, load in loads.items():
            sides[name] = _side(plan, stack.enter_context(load))
        rounds = in_turns(plan, f"messages, {database}", *sides.values())
    return _Table(database, dict(zip(sides, rounds, strict=True))).rows(size)


def _load(found: Installation, requests: Sequence[bytes]) -> Load:
    return Load(found.server, requests, connections=CONNECTIONS)


def _side(plan: Plan, load: Load) -> Side:
    return lambda: load.round(plan.seconds)


def _yardsticks(stack: ExitStack, plan: Plan, postgresql: PostgreSQLServer | None) -> dict[str, Side]:
    """Bare commits and argon2. SQLite has one writer at a time, so more connections would not increase the commits."""
    if postgresql is None:
        many = one = stack.enter_context(sqlite_commits(stack.enter_context(temporary_directory())))
    else:
        url = postgresql.url(postgresql.create_database("template0"))
        many = stack.enter_context(postgresql_commits(url, connections=CONNECTIONS))
        one = stack.enter_context(postgresql_commits(url, connections=1))
    stored = asyncio.run(password_hash())
    hasher = argon2.PasswordHasher.from_parameters(argon2.extract_parameters(stored))
    return {
        "commits": lambda: many(plan.seconds),
        "commits of one": lambda: one(plan.seconds),
        "argon2": lambda: repeated(lambda: hasher.verify(stored, PASSWORD), plan.seconds),
    }


@dataclass(frozen=True)
class _Table:
    """The rounds of one database, by their name, and the rows made from them."""

    database: str
    rounds: Mapping[str, Sequence[Measured]]

    def rows(self, size: int) -> list[Row]:
        commits, bare = "bare durable commits", "bare requests"
        read, at = f"`messages` of {READ} ({size / 1000:.0f} kB)", f"{PEOPLE.accounts} accounts"
        one, two = "sending", "sending, two workers"
        return [
            self._row(one, RATE, one, commits, "commits", target=at_least(0.1)),
            self._p99(f"p99 of {one}", one),
            self._row(two, RATE, two, commits, "commits"),
            self._p99(f"p99 of {two}", two, at_most(4)),
            self._row(read, RATE, "reading", bare, "bare", target=at_least(0.015)),
            self._row(
                "regenerating, one connection", RATE, "regenerating", commits, "commits of one", target=at_least(0.08)
            ),
            self._row(f"`register` at {at}", COST, "registering", "a bare request", "bare", target=at_most(80)),
            self._row("`server_settings`", RATE, "server_settings", bare, "bare", target=at_least(0.5)),
            self._row("`fetch_api_key`", RATE, "fetch_api_key", "argon2 alone", "argon2", target=at_least(0.9)),
        ]

    def _row(
        self, name: str, figure: Figure, key: str, beside: str, yardstick: str, *, target: Target | None = None
    ) -> Row:
        ours, other = self.rounds[key], self.rounds[yardstick]
        if target is not None and self.database == POSTGRESQL:
            target = target.halved()
        return row(name, self.database, figure, ours, beside=beside, yardstick=other, target=target)

    def _p99(self, name: str, key: str, target: Target | None = None) -> Row:
        ours = self.rounds[key]
        return row(name, self.database, P99, ours, beside="its p50", yardstick=ours, of_yardstick=P50, target=target)


def _followers(found: Installation) -> Sequence[Credential]:
    return found.credentials[: PEOPLE.followers]


def _regenerations(found: Installation) -> list[bytes]:
    """One for each account that does not send, since its messages would be refused."""
    others = found.credentials[PEOPLE.followers :]
    return [request("POST", "users/me/api_key/regenerate", each) for each in others]


def _with_new_key(asked: bytes, answer: bytes) -> bytes:
    """The same request with the new key from the answer."""
    old = asked.partition(b"Authorization: Basic ")[2].partition(b"\r\n")[0]
    email, _, _ = base64.b64decode(old).partition(b":")
    new = base64.b64encode(email + b":" + content(answer)["api_key"].encode())
    return asked.replace(old, new)


def _message(credential: Credential) -> bytes:
    fields = {"type": "stream", "to": CHANNEL, "topic": "speed", "content": TEXT}
    return request("POST", "messages", credential, **fields)


def _read(credential: Credential) -> bytes:
    narrow = [{"operator": "channel", "operand": CHANNEL}]
    return request("GET", "messages", credential, anchor="newest", num_before=READ, num_after=0, narrow=narrow)


def _sign_in(credential: Credential) -> bytes:
    return request("POST", "fetch_api_key", username=credential.email, password=PASSWORD)


def _fill(found: Installation) -> int:
    """Send the messages that are read later. Returns the bytes of an answer with them."""
    connection = Connection(found.server, found.credentials[0])
    for _ in range(READ):
        connection.call("POST", "messages", type="stream", to=CHANNEL, topic="speed", content=TEXT)
    answer = connection.ask(_read(found.credentials[0]))
    connection.close()
    assert len(content(answer)["messages"]) == READ
    return len(answer)
