"""`make cluster`: kills and partitions of a primary under load, and whether any promise was broken.

It runs on one machine, as root on Linux, in its own network namespaces.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.cluster import FAULTS, Cluster, Outcome, cluster, suffer
from tests.cluster.history import OK
from tests.cluster.load import Load
from tests.cluster.network import enter, is_possible
from tests.cluster.unfenced import show_unfenced


async def run(made: Cluster, minutes: float, quiet: float) -> tuple[Load, list[Outcome]]:
    """Faults one after another for this long, and a last look at every key."""
    load, outcomes = Load(made.hosts, made.trust), list[Outcome]()
    until = time.monotonic() + minutes * 60
    async with load.running():
        for fault in itertools.cycle(FAULTS):
            outcome = await suffer(made, load, fault, quiet)
            outcomes.append(outcome)
            times = ", ".join(f"{host} {seconds:.1f} s" for host, seconds in sorted(outcome.recovered.items()))
            print(f"{fault:10} recovered after the promotion: {times}", flush=True)
            if time.monotonic() > until and len(outcomes) >= len(FAULTS):
                break
    await load.finish()
    await load.close()
    return load, outcomes


def report(made: Cluster, load: Load, outcomes: list[Outcome]) -> bool:
    """Print the figures and every broken promise. Returns whether there are none and every host recovered."""
    history = load.history
    for name, count in sorted(history.counts().items()):
        print(f"{name:28} {count:8,}")
    ended = history.acknowledged_ends()
    print(f"{len(outcomes)} failovers, {len(ended):,} keys ended, {len(history.messages):,} messages acknowledged")
    slowest = max(seconds for each in outcomes for seconds in each.recovered.values())
    lost = [each for each in outcomes if set(each.recovered) != set(made.hosts)]
    broken = history.violations(made.messages())
    for violation in broken[:20]:
        print(f"BROKEN: {violation}")
    print(f"broken promises: {len(broken)}; slowest recovery: {slowest:.1f} s after the promotion")
    return not broken and not lost


def main() -> int:
    """Run it. The exit code is 0 if no promise was broken and every host recovered."""
    parser = argparse.ArgumentParser(prog="make cluster")
    parser.add_argument("--minutes", type=float, default=2.0, help="for how long faults are caused")
    parser.add_argument("--quiet", type=float, default=5.0, help="seconds of load before and after each fault")
    parser.add_argument("--unfenced", action="store_true", help="show what happens if nobody fences")
    arguments = parser.parse_args()
    if not is_possible():
        print("This needs Linux, root, and the commands ip, unshare, setpriv and mount.", file=sys.stderr)
        return 2
    enter("tests.cluster", sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="keybearer-cluster-") as directory, cluster(Path(directory)) as made:
        if arguments.unfenced:
            stale = asyncio.run(show_unfenced(made)) == OK
            print(
                "A key that has ended stays valid on the old primary while that runs: fence it before you promote."
                if stale
                else ""
            )
            return 0 if stale else 1
        load, outcomes = asyncio.run(run(made, arguments.minutes, arguments.quiet))
        return 0 if report(made, load, outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
