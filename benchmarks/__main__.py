"""Measure the groups that are named, or all: `python -m benchmarks [--quick] [--large] [GROUP…]`.

Prints one table. A run of all groups also writes `docs/performance.md`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks import report
from benchmarks.rounds import QUICK, Plan
from benchmarks.rows import Row

GROUPS = ("users_me", "messages", "memory", "polls", "stall", "client", "parts")
LONG = ("mixed",)
"""Groups that take an hour, so they run only if they are named."""

_HELP = f"of {', '.join(GROUPS)}; all of these by default. An hour each: {', '.join(LONG)}"


def main(arguments: Sequence[str]) -> int:
    """Run the measurements. Returns the exit code: 2 for an unknown group."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and print one table.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=_HELP)
    parser.add_argument("--quick", action="store_true", help="only show that everything runs; the figures mean nothing")
    parser.add_argument("--large", action="store_true", help="also verify keys among a million accounts")
    chosen = parser.parse_args(arguments)
    for name in chosen.groups:
        if name not in (*GROUPS, *LONG):
            parser.error(f"there is no group {name!r}; the groups are: {', '.join((*GROUPS, *LONG))}")
    _run(chosen.groups, replace(QUICK if chosen.quick else Plan(), large=chosen.large))
    return 0


def _run(groups: Sequence[str], plan: Plan) -> None:
    begun, machine = time.monotonic(), report.machine()
    rows: list[Row] = []
    for name in groups or GROUPS:
        rows += importlib.import_module(f"benchmarks.{name}").measure(plan)
    if plan.quick:
        print("A quick run: not to be quoted.")
    print(machine)
    print(report.table(rows))
    if not plan.quick:
        print(report.summary(rows))
    print(f"This took {(time.monotonic() - begun) / 60:.1f} minutes.")
    if not groups:
        report.DOCUMENT.write_text(report.document(plan, rows, machine), "utf-8")
        print(f"Written: {report.DOCUMENT}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
