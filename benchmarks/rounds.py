"""Measures in rounds, in turn with the yardstick."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """How much is measured. `seconds` is the length of a round; `quick` only shows that everything runs."""

    rounds: int = 9
    seconds: float = 1.0
    quick: bool = False
    large: bool = False

    def some(self, count: int) -> int:
        """`count`, or a twentieth of it in a quick run."""
        return max(1, count // 20) if self.quick else count


QUICK = Plan(rounds=3, seconds=0.2, quick=True)


@dataclass(frozen=True)
class Measured:
    """The result of a round. Times are in seconds; `latencies` are sorted.

    `cpu` is the processor time of what was measured: of a server's processes, or of this one.
    """

    seconds: float
    latencies: Sequence[float]
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    @property
    def cpu_each(self) -> float:
        """Microseconds of processor time for each request."""
        return self.cpu / len(self.latencies) * 1e6

    def latency(self, part: float) -> float:
        """The milliseconds within which that part of the requests was answered."""
        return self.latencies[min(int(part * len(self.latencies)), len(self.latencies) - 1)] * 1000


def repeated(work: Callable[[], object], seconds: float) -> Measured:
    """Repeat some work in this process for this many seconds."""
    latencies: list[float] = []
    cpu, begun = time.process_time(), time.perf_counter()
    now = begun
    while now - begun < seconds:
        work()
        latencies.append(time.perf_counter() - now)
        now = time.perf_counter()
    return Measured(now - begun, sorted(latencies), time.process_time() - cpu)


def in_turns(plan: Plan, title: str, *sides: Callable[[], T]) -> list[list[T]]:
    """Measure every side once in each round, after a first one that does not count. Returns the rounds of each side."""
    found: list[list[T]] = [[] for _ in sides]
    for side in sides:
        side()
    for number in range(plan.rounds):
        print(f"\r{title}: round {number + 1} of {plan.rounds} ", end="", file=sys.stderr, flush=True)
        for side, results in zip(sides, found, strict=True):
            results.append(side())
    print(file=sys.stderr)
    return found
