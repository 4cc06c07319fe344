"""`GET users/me` with a key: the cost of verifying one, compared with a bare application."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from benchmarks.load import Credential, Load, request
from benchmarks.population import Population
from benchmarks.rounds import Measured, Plan, in_turns
from benchmarks.rows import COST, RATE, Row, Target, at_least, at_most, row
from benchmarks.servers import POSTGRESQL, SQLITE, Installation, bare_server, installation, postgresql_server
from keybearer import api_key

CONNECTIONS = 32
ACCOUNTS = 10_000
NAMED_KEYS = 10
MANY, FEW = 1_000_000, 1000
MOST_ASKED = 100_000
"""How many different keys of the million are used."""


def measure(plan: Plan) -> list[Row]:
    """Measure right keys on both databases, wrong keys and mistyped keys."""
    accounts = plan.some(ACCOUNTS)
    with ExitStack() as stack:

        def side(found: Installation, credentials: Sequence[Credential], status: int = 200) -> Callable[[], Measured]:
            asked = random.Random(1).sample(credentials, min(MOST_ASKED, len(credentials)))
            requests = [request("GET", "users/me", each) for each in asked]
            load = stack.enter_context(Load(found.server, requests, connections=CONNECTIONS, status=status))
            return lambda: load.round(plan.seconds)

        def right(wanted: Population, *, on_postgresql: bool = False) -> Callable[[], Measured]:
            postgresql = stack.enter_context(postgresql_server()) if on_postgresql else None
            found = stack.enter_context(installation(wanted, postgresql=postgresql))
            return side(found, found.credentials)

        usual = stack.enter_context(installation(Population(accounts)))
        sides = {
            "bare": side(Installation(stack.enter_context(bare_server()), []), usual.credentials),
            "headers": side(Installation(stack.enter_context(bare_server("--all-headers")), []), usual.credentials),
            "loop": side(Installation(stack.enter_context(bare_server("--worker-loop")), []), usual.credentials),
            "right": side(usual, usual.credentials),
            "wrong": side(
                usual, [Credential(each.email, api_key.generate().reveal()) for each in usual.credentials], 401
            ),
            "mistyped": side(usual, [Credential(each.email, mistyped(each.key)) for each in usual.credentials], 401),
            "named": right(Population(accounts, named_keys=NAMED_KEYS)),
            "postgresql": right(Population(accounts), on_postgresql=True),
        }
        if plan.large:
            sides |= {"many": right(Population(plan.some(MANY))), "few": right(Population(plan.some(FEW)))}
        rounds = dict(zip(sides, in_turns(plan, "users_me", *sides.values()), strict=True))
    return _rows(plan, rounds)


def _rows(plan: Plan, rounds: dict[str, list[Measured]]) -> list[Row]:
    def rate(name: str, key: str, target: Target | None, database: str = SQLITE) -> Row:
        bare = rounds["bare"]
        return row(name, database, RATE, rounds[key], beside="bare requests", yardstick=bare, target=target)

    def cost(name: str, key: str, beside: str, yardstick: str, target: Target | None) -> Row:
        return row(name, SQLITE, COST, rounds[key], beside=beside, yardstick=rounds[yardstick], target=target)

    accounts, many, few = (plan.some(count) for count in (ACCOUNTS, MANY, FEW))
    rows = [
        rate(f"`users/me`, {accounts:,} accounts", "right", at_least(0.55)),
        rate(f"`users/me`, {accounts:,} accounts with {NAMED_KEYS} named keys each", "named", None),
        rate(f"`users/me`, {accounts:,} accounts", "postgresql", at_least(0.42), POSTGRESQL),
        cost("a wrong key", "wrong", "a right key", "right", at_most(1)),
        cost("a mistyped key (bad checksum)", "mistyped", "a bare request", "bare", at_most(1.25)),
        cost("a bare request with all headers of Keybearer", "headers", "a bare request", "bare", None),
        cost("a bare request in the event loop of a worker", "loop", "a bare request", "bare", None),
    ]
    if "many" in rounds:
        rows.append(rate(f"`users/me`, {many:,} accounts", "many", at_least(0.5)))
        rows.append(cost(f"`users/me`, {many:,} accounts", "many", f"{few:,} accounts", "few", at_most(1.15)))
    return rows


def mistyped(key: str) -> str:
    """A key with a wrong checksum."""
    return key[:-1] + ("a" if key[-1] != "a" else "b")
