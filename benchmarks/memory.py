"""The memory of a worker after many different keys were used within a minute."""

from __future__ import annotations

import time

from benchmarks.load import Load, request
from benchmarks.population import Population
from benchmarks.rounds import Plan
from benchmarks.rows import Row, at_most, simple_row
from benchmarks.servers import SQLITE, installation

KEYS = 200_000
CONNECTIONS = 32
SETTLED = 5
"""Seconds after the last request until uses are written."""


def measure(plan: Plan) -> list[Row]:
    """Use every key once, and compare the memory with that after a single key was used."""
    keys = plan.some(KEYS)
    with installation(Population(keys)) as found:
        requests = [request("GET", "users/me", each) for each in found.credentials]
        with Load(found.server, requests, connections=CONNECTIONS) as load:
            load.round(60, most=1)
            found.server.wait_until_idle()
            before = found.server.memory()
            measured = load.round(120, most=keys)
            time.sleep(SETTLED)
            growth = found.server.memory() - before
    name = f"growth of a worker after {len(measured.latencies):,} different keys within {measured.seconds:.0f} s"
    return [simple_row(name, SQLITE, "MB", [growth], target=at_most(40))]
