"""The results of measurements: rows of one table, with figures calculated from rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks.rounds import Measured


@dataclass(frozen=True)
class Target:
    """The target for a row's ratio, or for its figure if it has no yardstick."""

    limit: float
    is_most: bool = False

    def __str__(self) -> str:
        return f"{'at most' if self.is_most else 'at least'} {self.limit:g}"

    def halved(self) -> Target:
        """Half of a minimum, or twice a maximum."""
        return Target(self.limit * 2 if self.is_most else self.limit / 2, self.is_most)

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
    """One of our figures, and that of its yardstick, if it has one.

    Figures are medians of the rounds. `ratio` is the median of the rounds' own ratios: the two sides of a round are
    measured right after each other, so what slows both of them cancels out. `low` and `high` are the range of the
    middle 80 % of the rounds: of the ratios, or of the figure itself if there is no yardstick. `cpu` is the
    microseconds of processor time of our processes for each request, and `yardstick_cpu` those of the yardstick.
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
    rounds: int
    cpu: float | None = None
    yardstick_cpu: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is met; empty if there is none."""
        if self.target is None:
            return ""
        return "met" if self.target.is_met(self.value if self.ratio is None else self.ratio) else "MISSED"


@dataclass(frozen=True)
class Figure:
    """A figure of a round, its unit, and whether the processor time of a request is shown with it."""

    unit: str
    of: Callable[[Measured], float]
    with_cpu: bool = False


RATE = Figure("/s", lambda round_: round_.rate, with_cpu=True)
COST = Figure("µs of CPU", lambda round_: round_.cpu_each)
EACH = Figure("µs", lambda round_: 1e6 / round_.rate, with_cpu=True)
LENGTH = Figure("s", lambda round_: round_.seconds, with_cpu=True)
P50 = Figure("ms", lambda round_: round_.latency(0.5))
P99 = Figure("ms", lambda round_: round_.latency(0.99))


def row(
    name: str,
    database: str,
    figure: Figure,
    ours: Sequence[Measured],
    *,
    beside: str = "",
    yardstick: Sequence[Measured] = (),
    of_yardstick: Figure | None = None,
    target: Target | None = None,
) -> Row:
    """The row of these rounds. The yardstick has as many, of which the same figure is taken if no other is given."""
    theirs = [(of_yardstick or figure).of(each) for each in yardstick]
    values = [figure.of(each) for each in ours]
    found = simple_row(name, database, figure.unit, values, beside=beside, yardstick=theirs, target=target)
    if not figure.with_cpu:
        return found
    cpu = statistics.median(each.cpu_each for each in ours)
    yardstick_cpu = statistics.median(each.cpu_each for each in yardstick) if yardstick else 0
    return replace(found, cpu=cpu or None, yardstick_cpu=yardstick_cpu or None)


def simple_row(
    name: str,
    database: str,
    unit: str,
    values: Sequence[float],
    *,
    beside: str = "",
    yardstick: Sequence[float] = (),
    target: Target | None = None,
) -> Row:
    """The row of figures that were not taken of `Measured` rounds."""
    ratios = [ours / theirs for ours, theirs in zip(values, yardstick, strict=True)] if yardstick else []
    spread = ratios or values
    low, *_, high = statistics.quantiles(spread, n=10, method="inclusive") if len(spread) > 1 else [*spread, *spread]
    return Row(
        name,
        database,
        unit,
        statistics.median(values),
        beside,
        statistics.median(yardstick) if yardstick else None,
        statistics.median(ratios) if ratios else None,
        low,
        high,
        target,
        len(values),
    )
