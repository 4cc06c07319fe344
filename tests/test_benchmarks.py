"""The table of `make bench` has the results of its rounds and its targets. No time is asserted."""

from __future__ import annotations

import pytest
from benchmarks import report
from benchmarks.rounds import QUICK, Measured, Plan
from benchmarks.rows import RATE, at_least, at_most, row, simple_row


def round_of(rate: float) -> Measured:
    return Measured(1 / rate, [0.001])


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    ours, yardstick = [round_of(10), round_of(30), round_of(80)], [round_of(20), round_of(120), round_of(100)]

    found = row("x", "SQLite", RATE, ours, beside="y", yardstick=yardstick)

    assert (found.value, found.yardstick_value, found.ratio) == (30, 100, 0.5)


def test_the_spread_is_that_of_the_middle_rounds() -> None:
    found = simple_row("x", "", "ms", [float(number) for number in range(1, 12)])
    nine = simple_row("x", "", "ms", [1.0, *[5.0] * 7, 9.0])

    assert (found.low, found.high) == (2, 10)
    assert [nine.low, nine.high] == pytest.approx([4.2, 5.8])


def test_a_missed_target_is_reported_in_its_row_and_in_a_sentence() -> None:
    missed = simple_row("slow", "SQLite", "ms", [50.0] * 9, target=at_most(45))
    met = simple_row("fast", "SQLite", "/s", [50.0] * 9, beside="bare", yardstick=[100.0] * 9, target=at_least(0.5))

    text = report.document(Plan(), [missed, met], "A machine")

    assert [each.verdict for each in (missed, met)] == ["MISSED", "met"]
    assert "| MISSED |" in text
    assert "1 of 2 targets are missed: slow on SQLite." in text


def test_a_quick_run_says_that_it_is_not_to_be_quoted() -> None:
    rows = [simple_row("x", "", "ms", [1.0])]

    assert "not to be quoted" in report.document(QUICK, rows, "A machine")
    assert "not to be quoted" not in report.document(Plan(), rows, "A machine")


def test_the_page_has_the_text_of_the_program() -> None:
    page = report.DOCUMENT.read_text("utf-8")

    assert page.startswith(report.INTRODUCTION)
    assert page.endswith(report.METHOD)
