"""The command `keybearer doctor`."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
from collections.abc import Iterator, Sequence

import click

from keybearer.cli.commands.doctor.checks import Checks
from keybearer.cli.commands.doctor.file import CheckedFile, check_file
from keybearer.cli.commands.doctor.findings import Finding, of_error
from keybearer.cli.commands.doctor.key import secrets_in
from keybearer.cli.commands.doctor.report import as_json, count, print_findings, print_summary, without_secrets
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import confirmed, is_terminal, note, print_json
from keybearer.cli.terminal.text import one_line
from keybearer.errors import ResolutionError
from keybearer.store.location import Location
from keybearer.zuliprc.fields import FIELDS
from keybearer.zuliprc.sources import Arguments

LONGEST_TIMEOUT = 3600.0
"""Seconds. The system's own calls do not take any number."""


def _finite(context: click.Context, option: click.Parameter, value: float) -> float:
    if math.isnan(value):
        raise click.BadParameter("it is not a number.")
    return value


@click.command()
@click.option("--fix", is_flag=True, help="Show what is wrong with the file, then fix it.")
@click.option("--yes", is_flag=True, help="With --fix, do not ask for confirmation.")
@click.option("--offline", is_flag=True, help="Check only this machine, without connecting to the server.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True, max=LONGEST_TIMEOUT),
    callback=_finite,
    default=10.0,
    show_default=True,
    help="How long to wait for the server.",
)
@credential_options
def doctor(given: GivenCredentials, *, fix: bool, yes: bool, offline: bool, timeout: float) -> int:
    """Find what is wrong with the active credentials, and how to fix it.

    This checks the file line by line, then variables, certificates, the network and the server. The server is asked
    what it is and whether it accepts the key. With --fix, all that can be fixed in the file is fixed in one step.
    Comments and the sections of other programs are kept. On a terminal, it asks first.

    The exit code is 1 if there are faults. With --strict, warnings are faults.
    """
    with _quiet():
        file = _look(given)
        fixed: list[Finding] = []
        if fix and file.repairs and _agreed(file, yes=yes):
            fixed = file.repairs
            file.fix()
            file = _look(given)
        findings = _examine(given, file, None if offline else timeout)
    if given.as_json:
        print_json(
            {
                "config_file": str(file.location.path) if file.location.path else None,
                "fixed": [{"kind": one.kind, "place": one.place, "done": one.fix} for one in fixed],
                "findings": as_json(findings),
            }
        )
    else:
        print_findings(findings)
        print_summary(findings)
    faults = count(findings, "fault") + (count(findings, "warning") if given.arguments["strict"] else 0)
    return 1 if faults else 0


def _look(given: GivenCredentials) -> CheckedFile:
    try:
        return check_file(given.locate(os.environ), os.environ)
    except ResolutionError as error:  # an invalid profile name
        return CheckedFile(Location(None), (of_error(error),))


def _examine(given: GivenCredentials, file: CheckedFile, timeout: float | None) -> Sequence[Finding]:
    arguments = Arguments({field.argument: given.arguments.get(field.argument) for field in FIELDS.values()})
    examination = Checks(file, arguments, os.environ)
    examination.run(timeout)
    return without_secrets(examination.findings, examination.secrets)


def _agreed(file: CheckedFile, *, yes: bool) -> bool:
    """Show what would be fixed, and ask if there is a terminal."""
    note(f"To fix in {file.location.path}:")
    for repair in without_secrets(file.repairs, list(secrets_in(file.fixed)) if file.fixed else []):
        line = repair.place.rpartition(":")[2]
        where = f"line {line}: " if line.isdigit() else ""
        click.echo(f"  {one_line(f'{where}{repair.message}: {repair.fix}')}", err=True)
    if yes or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return True
    return confirmed("Fix it?", otherwise="--yes")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the client's log entries, which are reported as findings."""
    logger = logging.getLogger("keybearer.client")

    def refuse(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(refuse)
    try:
        yield
    finally:
        logger.removeFilter(refuse)
