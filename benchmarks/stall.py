"""The time to verify a key while passwords are being checked."""

from __future__ import annotations

from benchmarks.load import Load, request
from benchmarks.population import PASSWORD, Population
from benchmarks.rounds import Measured, Plan, in_turns
from benchmarks.rows import P99, Row, at_most, row
from benchmarks.servers import SQLITE, installation

PEOPLE = Population(100)
CONNECTIONS = 8
SIGNING_IN = 32
"""The number of passwords that wait at any time."""


def measure(plan: Plan) -> list[Row]:
    """The p99 of `users/me` with waiting passwords, compared with that of a quiet server."""
    with installation(PEOPLE) as found:
        keys = [request("GET", "users/me", each) for each in found.credentials]
        passwords = [
            request("POST", "fetch_api_key", username=each.email, password=PASSWORD) for each in found.credentials
        ]
        with (
            Load(found.server, keys, connections=CONNECTIONS) as verifying,
            Load(found.server, passwords, connections=SIGNING_IN) as signing_in,
        ):

            def quiet() -> Measured:
                return verifying.round(plan.seconds)

            def full() -> Measured:
                under_way = signing_in.begun(plan.seconds * 1.5)
                measured = verifying.round(plan.seconds)
                under_way.result()
                return measured

            of_quiet, of_full = in_turns(plan, "stall", quiet, full)
    name = f"p99 of `users/me` while {SIGNING_IN} passwords wait"
    return [row(name, SQLITE, P99, of_full, beside="p99 on a quiet server", yardstick=of_quiet, target=at_most(3))]
