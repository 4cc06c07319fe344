"""Prints findings for people and programs. No text that is printed has a key in it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence

import click

from keybearer.cli.commands.doctor.findings import Finding
from keybearer.cli.terminal.output import is_terminal, note
from keybearer.cli.terminal.text import one_line
from keybearer.masking import masked
from keybearer.secret import Secret
from keybearer.wording import counted

SIGNS = {"good": ("✓", "green"), "warning": ("!", "yellow"), "fault": ("✗", "red")}
"""The symbol and colour of each severity on a terminal."""


def without_secrets(findings: Iterable[Finding], secrets: Sequence[Secret]) -> list[Finding]:
    """The findings with a mask in place of every key in their texts. Even a site may be a key by mistake."""
    hidden = [
        form for one in secrets if len(one.reveal()) >= _SHORTEST for form in (one.reveal(), one.reveal().lower())
    ]
    return [
        dataclasses.replace(
            finding, **{name: masked(getattr(finding, name), hidden) for name in ("message", "place", "remedy", "fix")}
        )
        for finding in findings
    ]


_SHORTEST = 8
"""A shorter text is not a key, and masking it would hide ordinary words."""


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a list with symbols and colours on a terminal, else a line for each finding."""
    if is_terminal(sys.stdout):
        _print_rich(findings)
        return
    for finding in findings:
        click.echo(f"{finding.severity}: {in_one_line(finding)}")


def in_one_line(finding: Finding) -> str:
    """A finding as a line: its place, message, remedy and kind."""
    place = f"{finding.place}: " if finding.place else ""
    remedy = f". {finding.remedy}" if finding.remedy else ""
    fixable = ", --fix fixes it" if finding.fix else ""
    return one_line(f"{place}{finding.message}{remedy} ({finding.kind}{fixable})")


def print_summary(findings: Sequence[Finding]) -> None:
    """Print the last line on stderr: the number of faults and warnings, and how many `--fix` would fix."""
    faults, warnings = count(findings, "fault"), count(findings, "warning")
    if not (faults or warnings):
        note("Everything is in order.")
        return
    fixable_count = sum(bool(finding.fix) for finding in findings)
    offer = f"; `keybearer doctor --fix` fixes {fixable_count} of them" if fixable_count else ""
    note(f"{counted(faults, 'fault')}, {counted(warnings, 'warning')}{offer}.")


def count(findings: Iterable[Finding], severity: str) -> int:
    """How many findings are of this severity."""
    return sum(finding.severity == severity for finding in findings)


def as_json(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """Findings as JSON, for programs."""
    return [
        {
            "kind": finding.kind,
            "severity": finding.severity,
            "place": finding.place or None,
            "message": finding.message,
            "remedy": finding.remedy or None,
            "fixable": bool(finding.fix),
        }
        for finding in findings
    ]


def _print_rich(findings: Sequence[Finding]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only who looks at it waits for it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 1))
    for finding in findings:
        sign, colour = SIGNS[finding.severity]
        place = f"{one_line(finding.place)}: " if finding.place else ""
        grid.add_row(Text(sign, style=f"bold {colour}"), Text.assemble((place, "dim"), one_line(finding.message)))
        if finding.remedy:
            offer = ("  (--fix does that)", "cyan") if finding.fix else ""
            grid.add_row("", Text.assemble("→ ", one_line(finding.remedy), offer))
    Console(highlight=False).print(grid)
