"""What a measurement comes to: rows of one table, and how their figures are made of rounds."""

from __future__ import annotations

import statistics
import sys
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
        """So many of something, or a twentieth of it in a quick run."""
        return max(1, count // 20) if self.quick else count


QUICK = Plan(rounds=3, seconds=0.2, quick=True)


@dataclass(frozen=True)
class Target:
    """What is wanted of a row's ratio, or of its figure where it is measured beside nothing."""

    limit: float
    is_most: bool = False

    def __str__(self) -> str:
        return f"{'at most' if self.is_most else 'at least'} {self.limit:g}"

    def is_met(self, figure: float) -> bool:
        """Whether the figure is within the limit."""
        return figure <= self.limit if self.is_most else figure >= self.limit


def at_least(limit: float) -> Target:
    """A target that is met from `limit` on."""
    return Target(limit)


def at_most(limit: float) -> Target:
    """A target that is met up to `limit`."""
    return Target(limit, is_most=True)


@dataclass(frozen=True)
class Row:
    """One figure of ours, and that of its yardstick, where it has one.

    Figures are medians of the rounds. `ratio` is the median of the rounds' own ratios: the two sides of a round are
    measured right after each other, so what slows both of them cancels out. `low` and `high` are where the middle 80 %
    of the rounds are: of the ratios, or of the figure itself where there is no yardstick. `cpu` is the microseconds of
    processor time of our processes for each request, and `yardstick_cpu` those of the yardstick's.
    """

    name: str
    database: str
    unit: str
    value: float
    yardstick: str
    yardstick_value: float | None
    ratio: float | None
    low: float
    high: float
    target: Target | None
    cpu: float | None
    yardstick_cpu: float | None
    rounds: int

    @property
    def verdict(self) -> str:
        """Whether the target is met; empty where there is none."""
        if self.target is None:
            return ""
        return "met" if self.target.is_met(self.value if self.ratio is None else self.ratio) else "MISSED"


def row(
    name: str,
    database: str,
    unit: str,
    values: Sequence[float],
    *,
    beside: str = "",
    yardstick: Sequence[float] = (),
    target: Target | None = None,
    cpu: Sequence[float] = (),
    yardstick_cpu: Sequence[float] = (),
) -> Row:
    """The row of these rounds; `yardstick` has one figure for each of them, or none at all."""
    ratios = [ours / theirs for ours, theirs in zip(values, yardstick, strict=True)] if yardstick else []
    spread = sorted(ratios or values)
    tenth = len(spread) // 10
    return Row(
        name,
        database,
        unit,
        statistics.median(values),
        beside,
        _median(yardstick),
        _median(ratios),
        spread[tenth],
        spread[-1 - tenth],
        target,
        _median(cpu),
        _median(yardstick_cpu),
        len(values),
    )


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def in_turns(plan: Plan, title: str, *sides: Callable[[], T]) -> list[list[T]]:
    """Measure every side once in each round, after one that does not count; returns the rounds of each side."""
    found: list[list[T]] = [[] for _ in sides]
    for side in sides:
        side()
    for number in range(plan.rounds):
        print(f"\r{title}: round {number + 1} of {plan.rounds} ", end="", file=sys.stderr, flush=True)
        for side, results in zip(sides, found, strict=True):
            results.append(side())
    print(file=sys.stderr)
    return found
